"""The commit window of a cutover, as a task that waits for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowFailException

from incorta_provider.dr.topology import CommitWindow
from incorta_provider.operators.base import RETRIES, RETRY_DELAY, airflow_errors, dr_access
from incorta_provider.operators.cutover import cutover_run
from incorta_provider.operators.links import cutover_page
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.window import (
    COMMIT,
    NOBODY,
    ROLL_BACK,
    decide,
    decided_to_roll_back,
    on_silence,
    question,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


class CommitWindowOperator(HITLOperator):
    """Ask whether the verified cutover is committed or rolled back; a roll-back fails the run, as nothing is promoted.

    :param group: the protection group (templated).
    :param target: the site that is verified (templated).
    :param window: how long, and what silence means.
    """

    template_fields = ("group", "target", "subject", "body")

    def __init__(self, *, group: str, target: str, window: CommitWindow, **kwargs: Any) -> None:
        kwargs.setdefault("retries", RETRIES)
        kwargs.setdefault("retry_delay", RETRY_DELAY)
        silence = on_silence(window)
        super().__init__(
            subject="Cutover: commit or roll back",
            options=[COMMIT, ROLL_BACK],
            defaults=silence,
            response_timeout=timedelta(seconds=window.seconds) if silence else None,
            **kwargs,
        )
        self.group = group
        self.target = target

    def execute(self, context: Context) -> None:
        """Show what is known by now and park the task."""
        with airflow_errors():
            run = self._run(context)
            if (by := decided_to_roll_back(run)) is not None:
                _carry_out(run, [ROLL_BACK], by)  # decided before, and not carried out: nobody is asked again
            self.body = question(run, cutover_page(self.group, self.target, run.run_id))
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, str]:
        """Carry out the answer."""
        user = event.get("responded_by_user") or {}
        by = str(user.get("name") or user.get("id") or "").strip() or NOBODY
        with airflow_errors():
            _carry_out(self._run(context), list(event.get("chosen_options") or []), by)
        return {"decided": COMMIT, "by": by}

    def _run(self, context: Context) -> CutoverRun:
        return cutover_run(dr_access(self.group), self.target, context)


def _carry_out(run: CutoverRun, chosen: list[str], by: str) -> None:
    """Do what was decided; a roll-back ends the task as failed."""
    if (given_up := decide(run, chosen, by=by)) is not None:
        raise AirflowFailException(f"rolled back, decided by {by}: {given_up.role.active} is active again")
