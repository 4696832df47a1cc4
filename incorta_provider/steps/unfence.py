"""Open a fenced site on a person's word, outside of any cutover.

The way home opens a site by itself. This is for the day on which nothing else is left: both sites may write afterwards,
and what they write cannot be joined again. The word stands in every catalog that is there, with its reason, and the
watcher leaves the site alone until the roles change.

:raises PreconditionError: the word is not typed out, or no catalog can keep it; nothing was changed.
:raises DrError: the database cannot be opened; the word is kept, repeat the command.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from incorta_provider.dr.epoch import Role
from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.exceptions import DrError, PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.fencing import unfence_database
from incorta_provider.steps.roles import roles_that_answer
from incorta_provider.storage.apply.actual import mark_diverged
from incorta_provider.storage.records.fence_override import FenceOverride, read_override, save_override

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unfenced:
    """A site that was opened.

    :ivar role: the newest role that a registry tells; None when none answers.
    :ivar mark: the fence of its database; None when that was open.
    """

    role: Role | None
    mark: FenceMark | None


def unfence_phrase(site: str) -> str:
    """Return what must be typed to open a site.

    >>> unfence_phrase("berlin")
    'UNFENCE berlin'
    """
    return f"UNFENCE {site}"


def unfence(access: GroupAccess, site: SiteAccess, *, reason: str, confirmation: str, by: str) -> Unfenced:
    """Open the database of one site, for Incorta's accounts and events, and keep who wanted it. Safe to repeat."""
    role = newest_role(access)
    _ensure_typed_out(site, role, reason, confirmation)
    epoch = role.epoch if role else 0
    override = FenceOverride(site=site.name, epoch=epoch, by=by, reason=reason.strip(), at=access.clock())
    _keep(access, override)
    with site.catalog.lock("apply"):  # what is being applied ends first; what comes later is refused by the word
        mark_diverged(site.catalog)
    mark = unfence_database(site, events=True)
    log.warning("%s is open by the word of %s: %s", site.name, by, override.reason)
    return Unfenced(role, mark)


def newest_role(access: GroupAccess) -> Role | None:
    """Return the role of the highest epoch that a registry tells; None when none answers."""
    return max(roles_that_answer(access).values(), key=lambda role: role.epoch, default=None)


def is_overridden(access: GroupAccess, site: str, epoch: int) -> bool:
    """Tell whether somebody opened a site since the roles changed for the last time."""
    known = (read_override(other.catalog.root, site) for other in map(access.site, access.config.sites))
    return any(override is not None and override.epoch == epoch for override in known)


def _ensure_typed_out(site: SiteAccess, role: Role | None, reason: str, confirmation: str) -> None:
    phrase = unfence_phrase(site.name)
    if confirmation == phrase and reason.strip():
        return
    holds = f"{role.active} is active (epoch {role.epoch})" if role else "no registry tells which site is active"
    raise PreconditionError(
        f"{holds}; a reason and the confirmation {phrase!r} are needed to let {site.name} be written to beside it",
        where=f"site {site.name}",
        fix=f"Nothing was changed. If this is meant, add: --reason TEXT --confirm '{phrase}'",
    )


def _keep(access: GroupAccess, override: FenceOverride) -> None:
    """Write the word to every catalog that is there, and to its ledger."""
    refused = {}
    for other in map(access.site, access.config.sites):
        try:
            other.catalog.ensure_there()
            save_override(other.catalog.root, override)
            other.ledger.append(
                "site.unfenced",
                at=override.at,
                key=f"unfence:{override.site}:{override.at.isoformat()}",
                group=access.name,
                run_id="command line",
                actor=override.by,
                details={"site": override.site, "epoch": override.epoch, "reason": override.reason},
            )
        except (DrError, OSError) as error:
            refused[other.name] = str(error)
            log.warning("the catalog of %s does not know of it: %s", other.name, error)
    if len(refused) == len(access.config.sites):
        raise PreconditionError(
            "no catalog can keep who opens the site, and why: " + "; ".join(refused.values()),
            where=f"site {override.site}",
            fix="Nothing was changed. Mount a catalog first.",
        )
