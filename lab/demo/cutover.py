"""The cutover as two people do it: one triggers it, the other approves, and both watch."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.plan import Mode
from incorta_provider.dr.request import confirmation_phrase
from incorta_provider.exceptions import PreconditionError, TransientError
from lab.airflow.client import ENDED, AirflowClient, Task
from lab.demo.failure import explain
from lab.demo.progress import Progress
from lab.layout import DR, GROUP

DAG_ID = f"incorta_dr_cutover__{GROUP}"
REASON = "The primary site does not answer."
RUN_SECONDS = 1800
_SHOWN = frozenset({"success", "failed", "up_for_retry", "awaiting_input", "skipped", "upstream_failed"})


def cut_over(requester: AirflowClient, approver: AirflowClient, progress: Progress) -> str:
    """Trigger, approve, wait for the end, and return the run's id.

    :raises PreconditionError: the run failed, or did not end in time; with the failed task and the end of its log.
    """
    conf = {
        "target_site": DR,
        "mode": Mode.UNPLANNED.value,
        "confirmation": confirmation_phrase(DR),
        "reason": REASON,
        "accept_unfenced": True,
    }
    run_id = requester.trigger(DAG_ID, conf, note=REASON)
    progress(f"{requester.user} triggered {run_id}")
    _Watch(run_id, approver, progress).until_the_end()
    return run_id


@dataclass
class _Watch:
    run_id: str
    approver: AirflowClient
    progress: Progress
    seen: dict[str, tuple[str | None, int]] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    def until_the_end(self) -> None:
        """Show each change and answer the approval, until the run has ended well."""
        deadline = time.monotonic() + RUN_SECONDS
        state = ""
        while state not in ENDED and time.monotonic() < deadline:
            with suppress(TransientError):  # an API server that is busy is asked again
                state = self.approver.run_state(DAG_ID, self.run_id)
                self._look()
            time.sleep(0.5)
        if state != "success":
            raise PreconditionError(
                f"the cutover ended as {state}. {explain(self.approver, DAG_ID, self.run_id)}",
                where=f"{DAG_ID}, {self.run_id}",
                fix="Correct the cause, then clear the failed task in the UI.",
            )

    def _look(self) -> None:
        tasks = self.approver.tasks(DAG_ID, self.run_id)
        for task in sorted(tasks, key=lambda task: task.start or ""):
            self._show(task)
        if any(task.state == "awaiting_input" for task in tasks):
            self._answer()

    def _show(self, task: Task) -> None:
        now = (task.state, task.try_number)
        if self.seen.get(task.task_id) == now:
            return
        self.seen[task.task_id] = now
        if task.state in _SHOWN:
            took = f" ({task.duration:.1f} s)" if task.duration and task.state in ENDED else ""
            self.progress(f"{task.task_id}: {task.state}{took}")

    def _answer(self) -> None:
        for question in self.approver.questions(DAG_ID, self.run_id):
            if question.task_id in self.answered:
                continue
            self.progress(f"asked for approval: {question.subject}")
            self.approver.answer(DAG_ID, self.run_id, question, APPROVE)
            self.answered.add(question.task_id)
            self.progress(f"{self.approver.user} approved")
