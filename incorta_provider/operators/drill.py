"""Operators of a drill: request, its steps, and the clean-up that comes whatever became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from incorta_provider.dr.plan import StepName
from incorta_provider.operators.base import PATIENT_RETRIES, DrOperator, requester_of, round_of, run_of
from incorta_provider.operators.links import CutoverReportLink
from incorta_provider.steps.drill.actions import ACTIONS
from incorta_provider.steps.drill.request import drill_request, request_drill
from incorta_provider.steps.drill.run import DrillRun, drill_run
from incorta_provider.steps.drill.take import take_drill

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context


class DrillOperator(DrOperator):
    """Base of the operators of a drill at ``site``.

    :param site: a DR site with a ``drill:`` section in the topology (templated).
    """

    template_fields: Collection[str] = ("group", "site")

    def __init__(self, *, site: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.site = site

    def run_at_site(self, context: Context) -> DrillRun:
        """Return the drill that the task belongs to."""
        actor = requester_of(context) or "schedule"
        return drill_run(self.access(), self.site, run_of(context), actor, clear_number=round_of(context))


class RequestDrillOperator(DrillOperator):
    """Check that the drill can be carried out, then freeze its plan; changes nothing.

    :param recovery_point: id of the point to try out, empty for the newest (templated).
    :param reason: for the ledger and the report (templated).
    """

    default_retries = PATIENT_RETRIES
    template_fields: Collection[str] = ("group", "site", "recovery_point", "reason")

    def __init__(self, *, recovery_point: str, reason: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.recovery_point = recovery_point
        self.reason = reason

    def work(self, context: Context) -> dict[str, str]:
        """Freeze the plan and return its digest and point."""
        run = self.run_at_site(context)
        asked = drill_request(
            run,
            recovery_point=self.recovery_point,
            reason=self.reason,
            requested_by=run.actor,
            requested_at=context["dag_run"].run_after,
        )
        plan = request_drill(run, asked)
        self.log.info("%s", plan.to_markdown())
        return {"recovery_point": plan.recovery_point, "plan_sha256": plan.sha256}


class TakeDrillOperator(DrillOperator):
    """Take every step of the drill's plan up to the verified service, in one process, as a cutover does."""

    def work(self, context: Context) -> dict[str, Any]:
        """Take them and return which are done."""
        return take_drill(self.run_at_site(context))


class CleanDrillOperator(DrillOperator):
    """Take the drill away again, and write its report; as a teardown it comes after a failure, too."""

    default_retries = PATIENT_RETRIES
    operator_extra_links = (CutoverReportLink(),)

    def work(self, context: Context) -> dict[str, Any]:
        """Clean up and return where the report is."""
        run = self.run_at_site(context)
        result = ACTIONS[StepName.CLEAN_DRILL](run)
        return {
            "report": str(run.folder.root / "report.json"),
            "group": run.access.name,
            "site": self.site,
            "run_id": run.run_id,
            "outcome": result["outcome"],
            "rto_seconds": result["rto_seconds"],
        }
