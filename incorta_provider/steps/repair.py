"""Bring a live replica back to the point that it should be.

Bytes come from the catalog; those that it lacks are fetched from the source or from another site's replica, where the
digest decides. What does not belong there is moved to the history, never deleted.

The caller holds the catalog's lock ``apply``, and compared the replica under it.

:raises PreconditionError: the site is active, or Incorta runs there: nothing is moved under services.
:raises IntegrityError: the bytes of a file are nowhere; files whose bytes were found are repaired all the same.
:raises TransientError: nobody can tell whether the site is active.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from functools import partial

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import DrError, IntegrityError, PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.roles import role_at
from incorta_provider.steps.running import running
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.manifest_file import select
from incorta_provider.storage.routes import copier_for
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.verify import VerifyReport
from incorta_provider.storage.work_pool import chunks
from incorta_provider.storage.workspace import Workspace

log = logging.getLogger(__name__)

_AT_ONCE = 64


def repair_replica(access: GroupAccess, site: SiteAccess, point: str, found: VerifyReport) -> None:
    """Make the replica the point again."""
    _ensure_idle(access, site)
    suspects = {*found.different, *found.missing}
    try:
        site.target.apply(point, suspects=suspects)
    except IntegrityError as error:
        log.warning("the catalog does not have all bytes, so they are fetched: %s", error)
        wanted = list(select(site.catalog.manifest_path(point), sorted(suspects)))
        _fetch(access, site, point, [entry for entry in wanted if entry.kind is Kind.FILE])
        site.target.apply(point, suspects=suspects)


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


def _fetch(access: GroupAccess, site: SiteAccess, point: str, wanted: list[Entry]) -> None:
    """Fetch files from wherever they are the same, and put them into the replica."""
    folder = site.catalog.root / "repairs"
    folder.mkdir(mode=0o700, exist_ok=True)
    workspace = Workspace(folder / point)
    workspace.create()
    try:
        for tree in _trees(access, site, point):
            if not wanted:
                break
            got = _fetched(site, tree, workspace, wanted)
            site.target.mend(workspace, got)
            wanted = [entry for entry in wanted if entry not in got]
            log.info("%d file(s) fetched from %s, %d still lack", len(got), tree.label, len(wanted))
    finally:
        site.target.discard(workspace)
        remove_tree(os.fsencode(workspace.root))


def _trees(access: GroupAccess, site: SiteAccess, point: str) -> Iterator[Tree]:
    """Yield where the bytes may be: at the point's source first, then at the other sites."""
    source = _source(site, point)
    for name in sorted(access.config.sites, key=lambda each: each != source):
        if name != site.name:
            yield access.site(name).tree(())


def _source(site: SiteAccess, point: str) -> str:
    return "" if point in site.catalog.damaged() else site.catalog.get(point).source


def _fetched(site: SiteAccess, tree: Tree, workspace: Workspace, wanted: Sequence[Entry]) -> list[Entry]:
    """Copy what a tree has and return the files that are the wanted ones, by their digests; others are put aside."""
    got: list[Entry] = []
    try:
        copy = copier_for(tree, site.target, workspace)
        for some in chunks(filter(partial(_may_be, tree), wanted), _AT_ONCE):
            for entry, outcome in zip(some, copy(some), strict=True):
                copied = getattr(outcome, "entry", outcome)
                if isinstance(copied, Entry) and copied.sha256 == entry.sha256:
                    got.append(entry)
    except (DrError, OSError) as error:
        log.warning("%s cannot help: %s", tree.label, error)
    return got


def _may_be(tree: Tree, entry: Entry) -> bool:
    """Tell whether a tree has a file of this name and size, which only then is worth fetching."""
    found = next(iter(tree.list(entry.path, entry.path + b"\0")), None)
    return found is not None and found.kind is Kind.FILE and found.size == entry.size
