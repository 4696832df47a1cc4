"""What a person asked for in the trigger form, and whether it is complete.

:raises PreconditionError: it is not; nothing was changed by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.dr.plan import MAX_WAIT, Mode, Plan
from incorta_provider.exceptions import PreconditionError


class Request(FrozenModel):
    """What a person asked for in the trigger form.

    :ivar recovery_point: an id, or empty for the newest.
    :ivar accept_unfenced: go on though a source that cannot be reached may go on writing.
    :ivar requested_at: when the run was triggered.
    :ivar created_at: when its first task began; later than that when the run waited behind another one.
    """

    run_id: str
    target: str
    mode: Mode
    recovery_point: str
    confirmation: str
    reason: str
    accept_unfenced: bool = False
    requested_by: str
    requested_at: AwareDatetime
    created_at: AwareDatetime


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
    if faults := [*_faults_of_the_form(request), *_faults_of_the_mode(request)]:
        raise PreconditionError(
            "the request is refused: " + "; ".join(faults),
            where=f"run {request.run_id}",
            fix="Nothing was changed; trigger the cutover again with a complete form.",
        )


def _faults_of_the_form(request: Request) -> Iterator[str]:
    phrase = confirmation_phrase(request.target)
    waited = request.created_at - request.requested_at
    if waited > MAX_WAIT:
        yield f"the run waited {int(waited.total_seconds() // 60)} minutes in the queue, and much may have changed"
    if request.confirmation != phrase:
        yield f"the confirmation must read {phrase!r}, not {request.confirmation!r}"
    if not request.reason.strip():
        yield "a reason is missing"
    if not request.requested_by.strip():
        yield "it is not known who triggered the run; trigger it from the UI or the API as yourself"


def _faults_of_the_mode(request: Request) -> Iterator[str]:
    if not request.mode.is_cutover:
        yield f"a {request.mode} is not a cutover; trigger incorta_dr_drill__<group>"
    if not request.mode.loses_nothing:
        return
    if request.recovery_point:
        yield f"a {request.mode} cutover makes its own recovery point; none can be chosen"
    if request.accept_unfenced:
        yield f"a {request.mode} cutover fences its source or stops; an unfenced one cannot be accepted"


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
