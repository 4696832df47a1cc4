"""Whether a site that was active may be replicated to: it is fully fenced, and nobody opened it again.

:raises FencingError: it is not; says what still writes there, or who wants it to.
"""

from __future__ import annotations

from incorta_provider.exceptions import FencingError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.roles import role_at
from incorta_provider.steps.running import not_proven_stopped
from incorta_provider.steps.unfence import is_overridden
from incorta_provider.steps.watch import unfenced_sites


def ensure_not_opened(access: GroupAccess, target: SiteAccess, epoch: int) -> None:
    """Refuse a site that a person opened under this epoch: what is written there then must not be replaced."""
    if is_overridden(access, target.name, epoch):
        raise FencingError(
            f"{target.name} was opened by a person since the roles changed, so people may write there",
            where=f"site {target.name}",
            fix="Nothing was changed. A cutover to another site, or back, ends that; `incorta-dr status`.",
        )


def ensure_fenced(access: GroupAccess, target: SiteAccess) -> None:
    """Refuse a site that was active and is not proven to be stopped, or whose fence did not reach all parts."""
    faults = dict(not_proven_stopped(target))
    role = role_at(access, target)
    for left in unfenced_sites(access, role) if role else ():
        if left.source.name == target.name:
            faults.update(left.known.get("not_reached", {}))
    if faults:
        raise FencingError(
            f"{target.name} was active once and is not fenced: "
            + "; ".join(f"{part}: {why}" for part, why in faults.items()),
            where=f"site {target.name}",
            fix="Nothing was changed. Clear the task `fence` of the cutover, or let the watcher do it; "
            "stop by hand what cannot be fenced.",
        )
