"""Bring a site's live replica back to the point that it should be, from wherever its bytes are.

The catalog is asked first, then the source of the point, then the other sites.

The caller holds the catalog's lock ``apply``, and compared the replica under it.

:raises PreconditionError: the site is active, or Incorta runs there: nothing is moved under services.
:raises IntegrityError: the bytes of a file are nowhere; files whose bytes were found are repaired anyway.
:raises TransientError: nobody can tell whether the site is active.
"""

from __future__ import annotations

from collections.abc import Iterator

from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.roles import role_at
from incorta_provider.steps.running import running
from incorta_provider.storage.mending import mend_replica
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.verify import VerifyReport


def repair_replica(access: GroupAccess, site: SiteAccess, point: str, found: VerifyReport) -> None:
    """Make the replica the point again."""
    _ensure_idle(access, site)
    mend_replica(site.target, site.catalog, point, found, _trees(access, site, point))


def _ensure_idle(access: GroupAccess, site: SiteAccess) -> None:
    """Refuse to move files under services: those of the active site, or of one where somebody started them."""
    role = role_at(access, site)
    parts = [f"{site.name} is the active site"] if role is not None and role.active == site.name else running(site)
    if parts:
        raise PreconditionError(
            f"the replica is in use: {', '.join(parts)}",
            where=f"site {site.name}",
            fix="Nothing was repaired. Stop Incorta there, or leave the replica as it is.",
        )


def _trees(access: GroupAccess, site: SiteAccess, point: str) -> Iterator[Tree]:
    """Yield where the bytes may be: at the point's source first, then at the other sites."""
    source = "" if point in site.catalog.damaged() else site.catalog.get(point).source
    for name in sorted(access.config.sites, key=lambda each: each != source):
        if name != site.name:
            yield access.site(name).tree(())
