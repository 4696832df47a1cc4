"""One cutover: its plan, its journal and its lines in the ledger.

:meth:`CutoverRun.perform` is the only way to do a step. It asks the journal, not the state of tasks: a step that is
done is not done again, and a step whose predecessors are not done is refused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incorta_provider.dr.epoch import ensure_epoch, ensure_promoting
from incorta_provider.dr.machine import ensure_may_skip, ensure_turn
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import DrError, NothingToDo, PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.foreign_errors import own_errors
from incorta_provider.steps.roles import role_at
from incorta_provider.storage.records.cutover_folder import CutoverFolder

log = logging.getLogger(__name__)

Result = dict[str, Any]

REPEATABLE = frozenset(
    {
        StepName.QUIESCE,
        StepName.STOP_TARGET,
        StepName.START_NODES,
        StepName.START_CMC,
        StepName.START_LOADER,
        StepName.START_ANALYTICS,
        StepName.CLEAN_DRILL,
    }
)
"""Steps that are done again when a task is cleared, which begins a new round: what somebody started, or what died
meanwhile, is to be stopped or started again, and doing so twice is a pass."""

BEFORE_THE_ROLE = frozenset({StepName.QUIESCE, StepName.FINAL_SYNC})
"""Steps that are taken while the source is active still; the fence behind them takes its role."""


@dataclass(frozen=True)
class CutoverRun:
    """A cutover of one group to one target site.

    :param actor: who or what acts now, for the ledger.
    :param clear_number: how often Airflow cleared the run; an approval holds for the round in which it was given.
    """

    access: GroupAccess
    target: SiteAccess
    run_id: str
    actor: str
    clear_number: int = 0

    @property
    def folder(self) -> CutoverFolder:
        """What the target's catalog keeps of this cutover."""
        return CutoverFolder(self.target.catalog.root, self.run_id)

    def perform(self, step: StepName, action: Callable[[Plan], Mapping[str, Any]]) -> Result:
        """Do one step of the frozen plan and return its recorded result.

        :param action: must be safe to repeat; it may have been cut off in the middle before.
        :raises NothingToDo: the plan of this mode does not have the step, or a person skipped it.
        :raises PreconditionError: there is no plan, or it is not this step's turn.
        :raises ApprovalError: the step needs an approval, and there is none.
        :raises FencingError: another cutover took over since the fence.
        """
        plan = self.folder.plan()
        if plan.step(step) is None:
            raise NothingToDo(f"{plan.mode} cutover {self.run_id} has no step {step}")
        if (known := self.folder.result(step)) is not None and self._stands(step, known):
            self._ensure_role(step, plan)
            log.info("%s is done already, at %s", step, known["finished_at"])
            self._note_done(step, known)
            return known
        ensure_turn(step, plan, self.folder.progress())
        self._ensure_role(step, plan)
        return self._do(step, plan, action)

    def skip(self, step: StepName, *, reason: str, by: str) -> None:
        """Leave an optional step out, by a person's decision, which the ledger keeps.

        :raises PreconditionError: the step is critical or done, or there is no reason.
        """
        ensure_may_skip(step, self.folder.plan(), self.folder.progress())
        if not reason.strip():
            raise PreconditionError("a reason is missing", where=f"cutover {self.run_id}", fix="Say why.")
        facts = {"step": str(step), "reason": reason, "by": by, "at": self.access.clock().isoformat()}
        self.folder.skip(step, facts)
        self.note("cutover.step.skipped", f"{step}:skipped", facts, actor=by)

    def point(self) -> RecoveryPoint:
        """Return the recovery point that is promoted.

        :raises IntegrityError: its record cannot be read.
        :raises PreconditionError: it is gone.
        """
        return self.target.catalog.get(self.folder.point_id())

    def _ensure_role(self, step: StepName, plan: Plan) -> None:
        """Refuse a step, done or not, once the role is another run's; only the fence takes the role itself."""
        if step is StepName.FENCE:
            return
        role = role_at(self.access, self.target)
        if step in BEFORE_THE_ROLE and StepName.FENCE not in self.folder.done():
            ensure_epoch(plan.epoch, role, active=plan.source)
        else:
            ensure_promoting(role, run_id=self.run_id, target=plan.target)

    def _stands(self, step: StepName, known: Result) -> bool:
        """Tell whether a result holds.

        A source is not quiesced again behind its fence, and a site that was promoted is in use: it is not stopped.
        """
        ends_with = {StepName.QUIESCE: StepName.FENCE, StepName.STOP_TARGET: StepName.PROMOTE}
        is_behind = step in ends_with and ends_with[step] in self.folder.done()
        return step not in REPEATABLE or self.took(known) or is_behind

    def took(self, result: Result) -> bool:
        """Tell whether a result is of this round: nobody cleared a task since."""
        return result.get("round") == self.clear_number

    def script_key(self, step: StepName) -> str:
        """Return the name under which scripts of a step run at a node.

        A try that lost its connection finds its script again under the same name; once the step was done, a repetition
        gets a new one.
        """
        before = self.folder.result(step)
        return f"{self.run_id} {step} {before['finished_at'] if before else ''}".rstrip()

    def _do(self, step: StepName, plan: Plan, action: Callable[[Plan], Mapping[str, Any]]) -> Result:
        self._repeat_notes()
        started_at, started = self.access.clock(), time.monotonic()
        self.note("cutover.step.started", f"{step}:started:{started_at.isoformat()}", {"step": step})
        try:
            with own_errors():
                outcome = action(plan)
        except DrError as error:
            details = {"step": step, "error": type(error).__name__, "reason": str(error)}
            self.note("cutover.step.failed", f"{step}:failed:{started_at.isoformat()}", details)
            raise
        result: Result = {
            **outcome,
            "step": str(step),
            "round": self.clear_number,
            "started_at": started_at.isoformat(),
            "finished_at": self.access.clock().isoformat(),
            "seconds": round(time.monotonic() - started, 3),
        }
        self.folder.record(step, result)
        self._note_done(step, result)
        log.info("%s: %s", step, outcome)
        return result

    def _note_done(self, step: StepName, result: Result) -> None:
        self.note("cutover.step.done", f"{step}:done:{result['finished_at']}", result)

    def _repeat_notes(self) -> None:
        """Note what is done once more, if a line was refused: by a full disk that has room again, for example."""
        if not self._refused_notes.exists():
            return
        self._refused_notes.unlink()
        for step in StepName:
            if (result := self.folder.result(step)) is not None:
                self._note_done(step, result)

    @property
    def _refused_notes(self) -> Path:
        """What exists while the ledger lacks a line of this run."""
        return self.folder.root / "ledger-refused"

    def note(self, event: str, key: str, details: Mapping[str, Any], *, actor: str = "") -> None:
        """Write one line to the ledger; the same key is written once.

        A ledger that cannot be written holds up no step: with the source fenced, nobody would have a service.
        """
        try:
            self.target.ledger.append(
                event,
                at=self.access.clock(),
                key=f"{self.run_id}:{key}",
                group=self.access.name,
                run_id=self.run_id,
                actor=actor or self.actor,
                details=details,
            )
        except (DrError, OSError) as error:
            log.error("the ledger could not be told of %s (%s): %s", event, key, error)
            with suppress(OSError):
                self._refused_notes.touch()


def find_run(access: GroupAccess, run_id: str, actor: str) -> CutoverRun:
    """Return a run by its id: its target is the site whose catalog has its plan.

    :raises PreconditionError: no catalog has.
    """
    for name in access.config.sites:
        site = access.site(name)
        if CutoverFolder(site.catalog.root, run_id).has_plan():
            return CutoverRun(access=access, target=site, run_id=run_id, actor=actor)
    raise PreconditionError(
        f"no catalog knows a cutover {run_id}",
        where=f"group {access.name}",
        fix="`incorta-dr status` shows the run that is promoting a site.",
    )
