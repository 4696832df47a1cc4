"""Pin a recovery point, so that no retention drops it, and unpin it; each with a line in the ledger.

:raises PreconditionError: there is no such point, or no reason was given.
"""

from __future__ import annotations

from typing import Any

from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.storage.records.pins import Pin, Pins


def pin(access: GroupAccess, site: SiteAccess, point_id: str, *, reason: str, by: str, run_id: str = "") -> Pin:
    """Pin a point and return the pin that holds: one that it has already stays as it is."""
    ensure_reason(reason)
    made = Pins(site.catalog).pin(point_id, reason=reason, by=by, at=access.clock())
    _note(access, site, "point.pinned", made, by=by, run_id=run_id, details={"reason": made.reason})
    return made


def unpin(access: GroupAccess, site: SiteAccess, point_id: str, *, reason: str, by: str, run_id: str = "") -> Pin:
    """Remove the pin of a point and return it."""
    ensure_reason(reason)
    pins = Pins(site.catalog)
    if (known := pins.of(point_id)) is None:
        raise PreconditionError(
            f"recovery point {point_id} is not pinned",
            where=f"catalog of {site.name}",
            fix="Nothing was changed; `incorta-dr status` lists the pins.",
        )
    _note(
        access, site, "point.unpinned", known, by=by, run_id=run_id, details={"reason": reason, "pinned_by": known.by}
    )
    pins.unpin(point_id)
    return known


def ensure_reason(reason: str) -> None:
    """Refuse a command of a person that comes without a reason."""
    if not reason.strip():
        raise PreconditionError("a reason is needed, for the ledger", where="--reason", fix="Say why in a few words.")


def _note(
    access: GroupAccess, site: SiteAccess, event: str, made: Pin, *, by: str, run_id: str, details: dict[str, Any]
) -> None:
    site.ledger.append(
        event,
        at=access.clock(),
        key=f"{event}:{made.point}:{made.at.isoformat()}",
        group=access.name,
        run_id=run_id,
        actor=by,
        details={"point": made.point, **details},
    )
