"""The approval gate of a cutover.

Airflow's own approval says that a task got an answer. Ours turns the answer of a *second person* into a signed approval
in the catalog, which the fence and the promotion verify themselves: a task that was marked as success, or a value that
was forged in XCom, opens nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.timezone import utcnow

from incorta_provider.dr.approval import APPROVE, REJECT, same_person
from incorta_provider.operators.base import (
    RETRIES,
    RETRY_DELAY,
    airflow_errors,
    dr_access,
    requester_of,
    round_of,
    run_of,
)
from incorta_provider.steps.cutover.approve import plan_to_approve, seal_approval
from incorta_provider.steps.cutover.run import CutoverRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

DEFAULT_TIMEOUT = timedelta(hours=1)


class CutoverApprovalOperator(HITLOperator):
    """Show the frozen plan and wait for a person other than the one who triggered the run.

    Silence is a refusal: when nobody answers within ``response_timeout``, the default *Reject* applies.

    :param group: the protection group (templated).
    :param target: the site to promote (templated).
    """

    template_fields = ("group", "target", "subject", "body")

    def __init__(
        self, *, group: str, target: str, response_timeout: timedelta = DEFAULT_TIMEOUT, **kwargs: Any
    ) -> None:
        kwargs.setdefault("retries", RETRIES)
        kwargs.setdefault("retry_delay", RETRY_DELAY)
        super().__init__(
            subject="Cutover: approve or reject",
            options=[APPROVE, REJECT],
            defaults=[REJECT],
            response_timeout=response_timeout,
            **kwargs,
        )
        self.group = group
        self.target = target

    def execute(self, context: Context) -> None:
        """Put the plan before the approver and park the task."""
        with airflow_errors():
            plan = plan_to_approve(self._run(context))
        self.subject = f"{plan.mode} cutover of {plan.group}: {plan.source} → {plan.target}"
        self.body = plan.to_markdown()
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, str]:
        """Seal the approval, or fail with the reason; the ledger gets either."""
        with airflow_errors():
            run = self._run(context)
            approval = seal_approval(
                run,
                answered_by=_answered_by(event, run.folder.plan().requested_by),
                chosen=list(event.get("chosen_options") or []),
                answered_at=_answered_at(event),
            )
        return {"approved_by": approval.approved_by, "plan_sha256": approval.plan_sha256}

    def _run(self, context: Context) -> CutoverRun:
        access = dr_access(self.group)
        return CutoverRun(
            access=access,
            target=access.site(self.target),
            run_id=run_of(context),
            actor=requester_of(context),
            clear_number=round_of(context),
        )


def _answered_by(event: Mapping[str, Any], requester: str) -> str | None:
    """Return the account that answered; None when the time ran out.

    An auth manager may give a number as the id and the account as the name, or the account as both, so the answer is
    the requester's own when either is.
    """
    user = event.get("responded_by_user") or {}
    identities = [name for field in ("name", "id") if (name := str(user.get(field) or "").strip())]
    own = [identity for identity in identities if same_person(identity, requester)]
    return next(iter(own or identities), None)


def _answered_at(event: Mapping[str, Any]) -> datetime:
    answered: object = event.get("responded_at")
    if isinstance(answered, str):
        return datetime.fromisoformat(answered)
    return answered if isinstance(answered, datetime) else utcnow()
