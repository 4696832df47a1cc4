"""Watches one run of a DAG as people do: shows each change, answers what it asks, and says why it failed."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

from incorta_provider.dr.approval import APPROVE
from incorta_provider.exceptions import PreconditionError, TransientError
from lab.airflow.client import ENDED, AirflowClient, Task
from lab.demo.failure import explain
from lab.demo.progress import Progress

RUN_SECONDS = 1800
_SHOWN = frozenset({"success", "failed", "up_for_retry", "awaiting_input", "skipped", "upstream_failed"})


@dataclass
class Watch:
    """One run.

    :param person: looks, and approves when the run asks.
    """

    dag_id: str
    run_id: str
    person: AirflowClient
    progress: Progress
    seen: dict[str, tuple[str | None, int]] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    def until_the_end(self) -> None:
        """Show each change and answer the approval, until the run has ended well.

        :raises PreconditionError: it failed, or did not end in time; with the failed task and the end of its log.
        """
        deadline = time.monotonic() + RUN_SECONDS
        state = ""
        while state not in ENDED and time.monotonic() < deadline:
            with suppress(TransientError):  # an API server that is busy is asked again
                state = self.person.run_state(self.dag_id, self.run_id)
                self._look()
            time.sleep(0.5)
        if state != "success":
            raise PreconditionError(
                f"the run ended as {state}. {explain(self.person, self.dag_id, self.run_id)}",
                where=f"{self.dag_id}, {self.run_id}",
                fix="Correct the cause, then clear the failed task in the UI.",
            )

    def _look(self) -> None:
        tasks = self.person.tasks(self.dag_id, self.run_id)
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
        for question in self.person.questions(self.dag_id, self.run_id):
            if question.task_id in self.answered:
                continue
            self.progress(f"asked for approval: {question.subject}")
            self.person.answer(self.dag_id, self.run_id, question, APPROVE)
            self.answered.add(question.task_id)
            self.progress(f"{self.person.user} approved")
