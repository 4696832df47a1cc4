"""Bring a live replica back to the point that it should be.

Bytes come from the catalog or the vault; those that are not there are fetched from other trees, where the digest
decides. What does not belong there is moved to the history, never deleted.

The caller holds the catalog's lock ``apply``, and compared the replica under it.

:raises IntegrityError: the bytes of a file are nowhere; files whose bytes were found are brought back anyway.
:raises LostWritesError: the disk refused a part of what was written; nothing is fetched.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from functools import partial

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import DrError, IntegrityError, LostWritesError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.proven import Proven
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.manifest.manifest_file import select
from incorta_provider.storage.routes import copier_for
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.verify import VerifyReport

log = logging.getLogger(__name__)

_AT_ONCE = 64


def mend_replica(target: Target, catalog: Catalog, point_id: str, found: VerifyReport, trees: Iterable[Tree]) -> None:
    """Make the replica the point again.

    :param found: how it differs.
    :param trees: where bytes may be that are not here, asked in this order.
    """
    suspects = {*found.different, *found.missing}
    try:
        target.apply(point_id, suspects=suspects)
    except LostWritesError:
        raise
    except IntegrityError as error:
        log.warning("not all bytes are here, so they are fetched: %s", error)
        named = select(catalog.manifest_path(point_id), sorted(suspects))
        _fetch(target, catalog, point_id, [entry for entry in named if entry.kind is Kind.FILE], trees)
        target.apply(point_id, suspects=suspects)


def _fetch(target: Target, catalog: Catalog, point_id: str, wanted: list[Entry], trees: Iterable[Tree]) -> None:
    """Fetch files from wherever they are the same, and put them into the replica."""
    folder = catalog.root / "repairs"
    folder.mkdir(mode=0o700, exist_ok=True)
    workspace = Workspace(folder / point_id)
    workspace.create()
    try:
        for tree in trees:
            if not wanted:
                break
            got = _fetched(target, tree, workspace, wanted)
            target.mend(workspace, got)
            wanted = [entry for entry in wanted if entry not in got]
            log.info("%d file(s) fetched from %s, %d still lack", len(got), tree.label, len(wanted))
    finally:
        target.discard(workspace)
        remove_tree(os.fsencode(workspace.root))


def _fetched(target: Target, tree: Tree, workspace: Workspace, wanted: Sequence[Entry]) -> list[Entry]:
    """Copy what a tree has and return the files that are the wanted ones, by their digests."""
    got: list[Entry] = []
    try:
        copy = copier_for(tree, target, workspace)
        for some in chunks(filter(partial(_may_be, tree), wanted), _AT_ONCE):
            for entry, outcome in zip(some, copy(some), strict=True):
                copied = outcome.entry if isinstance(outcome, Proven) else outcome
                if isinstance(copied, Entry) and copied.sha256 == entry.sha256:
                    got.append(entry)
    except (DrError, OSError) as error:
        log.warning("%s cannot help: %s", tree.label, error)
    return got


def _may_be(tree: Tree, entry: Entry) -> bool:
    """Tell whether a tree has a file of this name and size, which only then is worth fetching."""
    found = next(iter(tree.list(entry.path, entry.path + b"\0")), None)
    return found is not None and found.kind is Kind.FILE and found.size == entry.size
