"""The recovery plan: data that is frozen and hashed before it is approved.

A plan is an ordered list of groups; the members of a group may run at the same time. Which groups a mode has stands in
:mod:`incorta_provider.dr.planning`, what may run when in :mod:`incorta_provider.dr.machine`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.exceptions import PreconditionError

MAX_WAIT = timedelta(minutes=15)
"""How long a triggered run may wait in the queue before its request counts as stale: a second cutover queues behind the
first, and must not start by itself when that one ends."""

MAX_SKEW = timedelta(minutes=15)
"""How far the clocks of two workers may be apart: one that is behind sees a plan that was made in its future."""


class Mode(StrEnum):
    """What kind of cutover.

    A planned one loses nothing, or stops: the primary is quiesced and replicated once more. A failback is a planned one
    to the group's home. An unplanned one is made with the primary gone, and loses at most the RPO. A drill is no
    cutover: it tries the plan out beside the replica and moves nothing.
    """

    PLANNED = "planned"
    UNPLANNED = "unplanned"
    FAILBACK = "failback"
    DRILL = "drill"

    @property
    def loses_nothing(self) -> bool:
        """Tell whether the source is there and is replicated once more, after its last write."""
        return self in (Mode.PLANNED, Mode.FAILBACK)

    @property
    def is_cutover(self) -> bool:
        """Tell whether the business is moved."""
        return self is not Mode.DRILL


CUTOVERS = tuple(mode for mode in Mode if mode.is_cutover)
"""The modes that the form of a cutover offers."""


class StepName(StrEnum):
    """Every step, in the order in which a plan has them."""

    QUIESCE = "quiesce"
    FINAL_SYNC = "final_sync"
    FENCE = "fence"
    STOP_TARGET = "stop_target"
    PREPARE_DRILL = "prepare_drill"
    APPLY = "apply"
    RESTORE = "restore_metadata"
    REWRITE = "rewrite_metadata"
    COMPARE = "compare"
    START_NODES = "start_nodes"
    START_CMC = "start_cmc"
    START_LOADER = "start_loader"
    START_ANALYTICS = "start_analytics"
    VERIFY = "verify_service"
    SWITCH_TRAFFIC = "switch_traffic"
    COMMIT_WINDOW = "commit_window"
    PROMOTE = "promote"
    CLEAN_DRILL = "clean_drill"


class PlanStep(FrozenModel):
    """One step as it is shown to the person who approves.

    :ivar group: counted from 1; a step waits for all groups before its own, and for no member of its own.
    :ivar site: where it acts.
    :ivar optional: whether a person may skip it, with a reason.
    :ivar actions: what it does, one sentence each.
    :ivar commands: what it runs at nodes, one line each, with the connection's id in front.
    """

    name: StepName
    group: int
    site: str
    optional: bool = False
    actions: tuple[str, ...]
    commands: tuple[str, ...] = ()


class Plan(FrozenModel):
    """A cutover, frozen.

    :ivar epoch: the epoch that holds while the plan is made; the fence makes it one more.
    :ivar source: the site that is active now, by the epoch registry.
    :ivar recovery_point: the point to promote; where the mode loses nothing, the newest one while the plan is made,
        which the final sync replaces by its own.
    :ivar requested_at: when the run was triggered; tells two runs of one id apart.
    :ivar accept_unfenced: a person accepted that a source which cannot be reached may go on writing.
    """

    group: str
    run_id: str
    mode: Mode
    source: str
    target: str
    epoch: int
    recovery_point: str
    point_opened_at: AwareDatetime
    requested_by: str
    reason: str
    requested_at: AwareDatetime
    created_at: AwareDatetime
    accept_unfenced: bool = False
    steps: tuple[PlanStep, ...]

    @property
    def sha256(self) -> str:
        """The digest that the approval is bound to."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def step(self, name: StepName) -> PlanStep | None:
        """Return one step; None when the plan does not have it."""
        return next((step for step in self.steps if step.name is name), None)

    def before(self, name: StepName) -> list[PlanStep]:
        """Return the steps that one waits for: all of the groups before its own.

        Cleaning up waits for none: a drill is taken away whatever became of it.

        :raises PreconditionError: the plan does not have that step.
        """
        if (step := self.step(name)) is None:
            raise PreconditionError(
                f"step {name} is not in the plan", where=f"cutover {self.run_id}", fix="Trigger a new cutover."
            )
        if name is StepName.CLEAN_DRILL:
            return []
        return [other for other in self.steps if other.group < step.group]

    def to_markdown(self) -> str:
        """Return the plan as the approver reads it."""
        lines = [*(self._head() if self.mode.is_cutover else self._head_of_a_drill()), ""]
        for number, step in enumerate(self.steps, start=1):
            name = f"**{step.name}**{' (optional)' if step.optional else ''}"
            lines.append(f"{number}. {name} at {step.site}: " + "; ".join(step.actions))
        return "\n".join(lines)

    def _head(self) -> list[str]:
        return [
            f"**{self.mode} cutover of {self.group}: {self.source} → {self.target}**",
            "",
            f"- recovery point `{self.recovery_point}`, state of {self._point_time()}: {self._loss()}",
            f"- requested by {as_text(self.requested_by)}: {as_text(self.reason)}",
            f"- epoch {self.epoch} → {self.epoch + 1}; plan `{self.sha256[:16]}`",
            f"- if {self.source} cannot be reached: {self._unreachable()}",
        ]

    def _head_of_a_drill(self) -> list[str]:
        return [
            f"**drill of {self.group} at {self.target}**",
            "",
            f"- recovery point `{self.recovery_point}`, state of {self.source} at {self._point_time()}",
            f"- requested by {as_text(self.requested_by)}: {as_text(self.reason)}",
            f"- {self.source} stays active under epoch {self.epoch}; replication goes on; plan `{self.sha256[:16]}`",
        ]

    def _point_time(self) -> str:
        return f"{self.point_opened_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

    def _loss(self) -> str:
        if self.mode.loses_nothing:
            return f"{self.source} is quiesced and replicated once more; nothing is lost, or the cutover stops"
        return loss_sentence(self.point_opened_at, self.created_at)

    def _unreachable(self) -> str:
        if self.accept_unfenced:
            return "it is accepted that it stays unfenced and may go on writing until it is shut off"
        return "the cutover stops at the fence"


def as_text(typed: str) -> str:
    """Return what a person typed as one line that Markdown shows as it is: a reason must not pose as part of a plan."""
    printable = "".join(character if character.isprintable() else " " for character in typed)
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", " ".join(printable.split()))


def loss_sentence(opened_at: datetime, now: datetime) -> str:
    """Return what is lost, as far as it can be known without the primary."""
    minutes, seconds = divmod(max(0, int((now - opened_at).total_seconds())), 60)
    return f"whatever the primary did in the last {minutes} min {seconds} s before this plan is lost"


def ensure_plan_fresh(plan: Plan, now: datetime, timeout: timedelta) -> None:
    """Refuse to show or begin a plan that is too old: what it says about the loss is no longer true.

    :param timeout: how long an answer may take; the run may have waited for :data:`MAX_WAIT` besides.
    :raises PreconditionError: the plan is older than both together, or made further after ``now`` than clocks differ.
    """
    age = now - plan.created_at
    if not -MAX_SKEW <= age <= timeout + MAX_WAIT:
        raise PreconditionError(
            f"the plan was made {int(age.total_seconds() // 60)} minutes ago, at "
            f"{plan.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and no longer says what would be lost",
            where=f"cutover {plan.run_id}",
            fix="Nothing was changed; trigger a new cutover.",
        )
