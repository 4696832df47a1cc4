"""The recovery plan: data that is frozen and hashed before it is approved, and the order that its steps keep.

The order is enforced here, not by the order of tasks in a DAG: a step runs only when every critical step before it is
recorded as done in the journal, however its task was started, marked or cleared.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.topology import Group
from incorta_provider.exceptions import PreconditionError

MAX_WAIT = timedelta(minutes=15)
"""How long a triggered run may wait in the queue before its request counts as stale: a second cutover queues behind the
first, and must not start by itself when that one ends."""


class Mode(StrEnum):
    """What kind of cutover: with the primary gone, it loses at most the RPO."""

    UNPLANNED = "unplanned"


class StepName(StrEnum):
    """Every step, in the order in which the plan has them."""

    FENCE = "fence"
    STOP_TARGET = "stop_target"
    APPLY = "apply"
    RESTORE = "restore_metadata"
    REWRITE = "rewrite_metadata"
    COMPARE = "compare"
    START_NODES = "start_nodes"
    START_CMC = "start_cmc"
    START_LOADER = "start_loader"
    START_ANALYTICS = "start_analytics"
    VERIFY = "verify_service"
    PROMOTE = "promote"


class PlanStep(BaseModel):
    """One step as it is shown to the person who approves.

    :ivar site: where it acts.
    :ivar actions: what it does, one sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: StepName
    site: str
    actions: tuple[str, ...]


class Plan(BaseModel):
    """A cutover, frozen.

    :ivar epoch: the epoch that holds while the plan is made; the fence makes it one more.
    :ivar source: the site that is active now, by the epoch registry.
    :ivar requested_at: when the run was triggered; tells two runs of one id apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    steps: tuple[PlanStep, ...]

    @property
    def sha256(self) -> str:
        """The digest that the approval is bound to."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def to_markdown(self) -> str:
        """Return the plan as the approver reads it."""
        lines = [
            f"**{self.mode} cutover of {self.group}: {self.source} → {self.target}**",
            "",
            f"- recovery point `{self.recovery_point}`, state of "
            f"{self.point_opened_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: "
            f"{loss_sentence(self.point_opened_at, self.created_at)}",
            f"- requested by {_as_text(self.requested_by)}: {_as_text(self.reason)}",
            f"- epoch {self.epoch} → {self.epoch + 1}; plan `{self.sha256[:16]}`",
            "",
        ]
        for number, step in enumerate(self.steps, start=1):
            lines.append(f"{number}. **{step.name}** at {step.site}: " + "; ".join(step.actions))
        return "\n".join(lines)


def _as_text(typed: str) -> str:
    """Return what a person typed as one line that Markdown shows as it is: a reason must not pose as part of a plan."""
    printable = "".join(character if character.isprintable() else " " for character in typed)
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", " ".join(printable.split()))


def loss_sentence(opened_at: datetime, now: datetime) -> str:
    """Return what is lost, as far as it can be known without the primary."""
    minutes, seconds = divmod(max(0, int((now - opened_at).total_seconds())), 60)
    return f"whatever the primary did in the last {minutes} min {seconds} s before this plan is lost"


class Request(BaseModel):
    """What a person asked for in the trigger form.

    :ivar recovery_point: an id, or empty for the newest.
    :ivar requested_at: when the run was triggered.
    :ivar created_at: when its first task began; later than that when the run waited behind another one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    target: str
    mode: Mode
    recovery_point: str
    confirmation: str
    reason: str
    requested_by: str
    requested_at: AwareDatetime
    created_at: AwareDatetime


def make_plan(
    name: str,
    group: Group,
    *,
    source: str,
    target: str,
    epoch: int,
    point: RecoveryPoint,
    request: Request,
    found: Mapping[StepName, Sequence[str]] | None = None,
) -> Plan:
    """Return the plan for what was requested.

    :param found: what the approver is to know about a step, beside what it does.
    """
    return Plan(
        group=name,
        run_id=request.run_id,
        mode=request.mode,
        source=source,
        target=target,
        epoch=epoch,
        recovery_point=point.id,
        point_opened_at=point.opened_at,
        requested_by=request.requested_by,
        reason=request.reason,
        requested_at=request.requested_at,
        created_at=request.created_at,
        steps=_steps(group, source, target, point, epoch, found or {}),
    )


def parse_mode(text: str) -> Mode:
    """Return the mode of that name.

    :raises PreconditionError: there is none.
    """
    try:
        return Mode(text)
    except ValueError:
        known = ", ".join(Mode)
        raise PreconditionError(
            f"there is no mode {text!r}, only {known}", where="trigger form", fix="Trigger the cutover again."
        ) from None


def confirmation_phrase(target: str) -> str:
    """Return what must be typed to confirm a cutover to ``target``."""
    return f"PROMOTE {target}"


def ensure_acceptable(request: Request) -> None:
    """Refuse a request that is not typed out, lacks a reason, comes from nobody, or is stale.

    :raises PreconditionError: names every fault.
    """
    faults = []
    phrase = confirmation_phrase(request.target)
    waited = request.created_at - request.requested_at
    if waited > MAX_WAIT:
        faults.append(
            f"the run waited {int(waited.total_seconds() // 60)} minutes in the queue, and much may have changed"
        )
    if request.confirmation != phrase:
        faults.append(f"the confirmation must read {phrase!r}, not {request.confirmation!r}")
    if not request.reason.strip():
        faults.append("a reason is missing")
    if not request.requested_by.strip():
        faults.append("it is not known who triggered the run; trigger it from the UI or the API as yourself")
    if faults:
        raise PreconditionError(
            "the request is refused: " + "; ".join(faults),
            where=f"run {request.run_id}",
            fix="Nothing was changed; trigger the cutover again with a complete form.",
        )


def ensure_same_run(plan: Plan, request: Request) -> None:
    """Refuse a run that has the id of an earlier one: that one's journal would call every step done.

    :raises PreconditionError: the plan was frozen for a run that was triggered at another time.
    """
    if plan.requested_at != request.requested_at:
        raise PreconditionError(
            f"run id {plan.run_id} was used before, by the cutover that was requested at "
            f"{plan.requested_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
            where=f"cutover {plan.run_id}",
            fix="Nothing was changed; trigger the cutover again under another run id.",
        )


def ensure_plan_fresh(plan: Plan, now: datetime, timeout: timedelta) -> None:
    """Refuse to show or begin a plan that is too old: what it says about the loss is no longer true.

    :param timeout: how long an answer may take; the run may have waited for :data:`MAX_WAIT` besides.
    :raises PreconditionError: the plan is older than both together, or made after ``now``.
    """
    age = now - plan.created_at
    if not timedelta(0) <= age <= timeout + MAX_WAIT:
        raise PreconditionError(
            f"the plan was made {int(age.total_seconds() // 60)} minutes ago, at "
            f"{plan.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and says no longer what would be lost",
            where=f"cutover {plan.run_id}",
            fix="Nothing was changed; trigger a new cutover.",
        )


def ensure_turn(step: StepName, done: Collection[StepName], plan: Plan) -> None:
    """Refuse a step before all that stand before it in the plan are done.

    :raises PreconditionError: names the first one that is missing.
    """
    for earlier in plan.steps:
        if earlier.name is step:
            return
        if earlier.name not in done:
            raise PreconditionError(
                f"step {step} must not run: {earlier.name} is not done",
                where=f"cutover {plan.run_id}",
                fix=f"Clear the task {earlier.name} and let it finish; marking it as success is not enough.",
            )
    raise PreconditionError(
        f"step {step} is not in the plan", where=f"cutover {plan.run_id}", fix="Trigger a new cutover."
    )


def _steps(
    group: Group,
    source: str,
    target: str,
    point: RecoveryPoint,
    epoch: int,
    found: Mapping[StepName, Sequence[str]],
) -> tuple[PlanStep, ...]:
    site = group.sites[target]
    nodes = ", ".join(node.conn_id for node in site.nodes)
    schema = site.metadata.schema_name
    services = sorted({service for node in site.nodes for service in node.services})
    rewrites = tuple(f"{rule.table}.{rule.column}: {rule.value}" for rule in group.metadata.rewrite)
    texts: list[tuple[StepName, str, tuple[str, ...]]] = [
        (
            StepName.FENCE,
            source,
            (f"set epoch {epoch + 1} at {target}", f"stop services of {source} if it can be reached"),
        ),
        (
            StepName.STOP_TARGET,
            target,
            (f"stop Incorta on {nodes}, prove it by closed ports",),
        ),
        (StepName.APPLY, target, (f"roll {site.storage} to {point.id} ({point.files} files)",)),
        (
            StepName.RESTORE,
            target,
            (
                f"load {point.tables} tables beside schema {schema}, compare them with the point",
                f"switch them into {schema}; what was there is kept until `incorta-dr cutover commit`",
            ),
        ),
        (StepName.REWRITE, target, rewrites or ("no rewrite rules",)),
        (StepName.COMPARE, target, ("compare every file and digest with the point",)),
        (StepName.START_NODES, target, (f"check ZooKeeper, start node agents on {nodes}",)),
        (StepName.START_CMC, target, (f"start the CMC on {site.cmc.node}",)),
        (StepName.START_LOADER, target, tuple(s for s in services if "loader" in s.lower()) or ("no Loader",)),
        (StepName.START_ANALYTICS, target, tuple(s for s in services if "loader" not in s.lower()) or ("none",)),
        (StepName.VERIFY, target, (f"log in to tenant {site.analytics.tenant}", "check every service")),
        (StepName.PROMOTE, target, (f"record {target} as the active site", "switch database events on")),
    ]
    return tuple(
        PlanStep(name=name, site=where, actions=(*actions, *map(_as_text, found.get(name, ()))))
        for name, where, actions in texts
    )
