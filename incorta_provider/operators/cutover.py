"""Operators of a cutover, in the order of its plan.

Each asks the cutover's journal in the catalog what is done; the state of other tasks means nothing to it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from incorta_provider.dr.request import Request, parse_mode
from incorta_provider.operators.base import PATIENT_RETRIES, DrOperator, requester_of, round_of, run_of
from incorta_provider.operators.links import CutoverReportLink
from incorta_provider.steps.cutover.apply import apply
from incorta_provider.steps.cutover.commit import commit
from incorta_provider.steps.cutover.compare import compare
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.final_sync import final_sync
from incorta_provider.steps.cutover.promote import promote
from incorta_provider.steps.cutover.quiesce import quiesce
from incorta_provider.steps.cutover.request import request_cutover
from incorta_provider.steps.cutover.restore import restore
from incorta_provider.steps.cutover.rewrite import rewrite_metadata
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.start import start_analytics, start_cmc, start_loader, start_nodes
from incorta_provider.steps.cutover.stop_target import stop_target
from incorta_provider.steps.cutover.switch_traffic import switch_traffic
from incorta_provider.steps.cutover.take_steps import take_steps
from incorta_provider.steps.cutover.verify import verify_service

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from airflow.sdk import Context

    from incorta_provider.steps.access import GroupAccess


class CutoverOperator(DrOperator):
    """Base of the operators that take one step of a cutover to ``target``.

    :param target: the site to promote (templated).
    """

    template_fields: Collection[str] = ("group", "target")

    def __init__(self, *, target: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target = target

    def work(self, context: Context) -> Any:
        """Take the step."""
        return self.take(cutover_run(self.access(), self.target, context), context)

    @abstractmethod
    def take(self, run: CutoverRun, context: Context) -> Any:
        """Take the step and return what goes to XCom."""


def cutover_run(access: GroupAccess, target: str, context: Context) -> CutoverRun:
    """Return the cutover that the task belongs to."""
    return CutoverRun(
        access=access,
        target=access.site(target),
        run_id=run_of(context),
        actor=requester_of(context),
        clear_number=round_of(context),
    )


class RequestCutoverOperator(CutoverOperator):
    """Check the request and the target site, then freeze the plan; changes nothing at either site.

    It waits for an apply, a prune or a repair that is under way at the target.

    :param mode: ``planned``, ``unplanned`` or ``failback`` (templated).
    :param recovery_point: id of the point to promote, empty for the newest (templated).
    :param confirmation: must read ``PROMOTE <target>`` (templated).
    :param reason: why, for the ledger and the report (templated).
    :param accept_unfenced: ``True`` to go on though a source that cannot be reached may go on writing (templated).
    """

    default_retries = PATIENT_RETRIES
    template_fields: Collection[str] = (
        "group",
        "target",
        "mode",
        "recovery_point",
        "confirmation",
        "reason",
        "accept_unfenced",
    )

    def __init__(
        self,
        *,
        mode: str,
        recovery_point: str,
        confirmation: str,
        reason: str,
        accept_unfenced: str = "False",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mode = mode
        self.recovery_point = recovery_point
        self.confirmation = confirmation
        self.reason = reason
        self.accept_unfenced = accept_unfenced

    def take(self, run: CutoverRun, context: Context) -> dict[str, str]:
        """Freeze the plan and return its digest and point."""
        plan = request_cutover(
            run,
            Request(
                run_id=run.run_id,
                target=self.target,
                mode=parse_mode(self.mode),
                recovery_point=self.recovery_point,
                confirmation=self.confirmation,
                reason=self.reason,
                accept_unfenced=str(self.accept_unfenced) == "True",
                requested_by=requester_of(context),
                requested_at=context["dag_run"].run_after,
                created_at=run.access.clock(),
            ),
        )
        self.log.info("%s", plan.to_markdown())
        return {"recovery_point": plan.recovery_point, "plan_sha256": plan.sha256}


class CutoverStepOperator(CutoverOperator):
    """Base of the steps that need nothing but the cutover they belong to."""

    step: Callable[[CutoverRun], dict[str, Any]]

    def take(self, run: CutoverRun, context: Context) -> dict[str, Any]:
        """Take the step and return its recorded result."""
        return type(self).step(run)


class QuiesceOperator(CutoverStepOperator):
    """Wait until no load runs at the source of a planned cutover, then stop its services; skipped in other modes."""

    default_retries = PATIENT_RETRIES
    step = staticmethod(quiesce)


class FinalSyncOperator(CutoverStepOperator):
    """Replicate the quiesced source once more, as the point to promote; skipped where the source is gone."""

    default_retries = PATIENT_RETRIES
    step = staticmethod(final_sync)


class FenceOperator(CutoverStepOperator):
    """Verify the approval, raise the epoch, and stop the source's services as far as they can be reached."""

    step = staticmethod(fence)


class StopTargetOperator(CutoverStepOperator):
    """Stop what Incorta runs at the target, and prove it by closed ports."""

    default_retries = PATIENT_RETRIES
    step = staticmethod(stop_target)


class ApplyPendingOperator(CutoverStepOperator):
    """Roll the live replica to the plan's recovery point."""

    default_retries = PATIENT_RETRIES
    step = staticmethod(apply)


class RestoreMetadataOperator(CutoverStepOperator):
    """Restore the point's metadata into the target's schema and compare them in full."""

    default_retries = PATIENT_RETRIES
    step = staticmethod(restore)


class RewriteMetadataOperator(CutoverStepOperator):
    """Rewrite site-specific values and prove that none of the source's is left."""

    step = staticmethod(rewrite_metadata)


class CompareReplicaOperator(CutoverStepOperator):
    """Compare every file and digest of the replica with the recovery point."""

    step = staticmethod(compare)


class StartNodesOperator(CutoverStepOperator):
    """Check ZooKeeper and start the node agents."""

    step = staticmethod(start_nodes)


class StartCmcOperator(CutoverStepOperator):
    """Start the Cluster Management Console."""

    step = staticmethod(start_cmc)


class StartLoaderOperator(CutoverStepOperator):
    """Start the Loader services."""

    step = staticmethod(start_loader)


class StartAnalyticsOperator(CutoverStepOperator):
    """Start the Analytics services."""

    step = staticmethod(start_analytics)


class VerifyServiceOperator(CutoverStepOperator):
    """Log in and check every service of the promoted site."""

    default_retries = PATIENT_RETRIES
    step = staticmethod(verify_service)


class TakeStepsOperator(CutoverStepOperator):
    """Take every step that needs no person, in one process; what it cannot do is left to the task of that step."""

    step = staticmethod(take_steps)


class SwitchTrafficOperator(CutoverStepOperator):
    """Send people to the promoted site by every doer of the topology."""

    default_retries = PATIENT_RETRIES
    step = staticmethod(switch_traffic)


class PromoteOperator(CutoverOperator):
    """Verify the approval again, record the target as active, and write the report."""

    operator_extra_links = (CutoverReportLink(),)

    def take(self, run: CutoverRun, context: Context) -> dict[str, Any]:
        """Promote and return where the report is."""
        report = promote(run)
        return {
            "report": str(run.folder.root / "report.json"),
            "group": run.access.name,
            "site": run.target.name,
            "run_id": run.run_id,
            **{name: report[name] for name in ("recovery_point", "rpo_seconds", "rto_seconds", "unfenced")},
        }


class CommitOperator(CutoverOperator):
    """Drop the metadata that the promoted site had before: after a commit window, which was the time to go back."""

    def take(self, run: CutoverRun, context: Context) -> None:
        """Commit."""
        commit(run.access, run.run_id, by=run.actor)
