"""The way from any source to a node: a batch is fetched to a spool folder here, and pushed from there."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from incorta_provider.dr.manifest import Entry, parent_of
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying.spool_room import ensure_spool_room
from incorta_provider.storage.copying.work_pool import Batch
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.faults import translated
from incorta_provider.storage.folders import make_folders, remove_tree
from incorta_provider.storage.ssh import rsync
from incorta_provider.storage.ssh.batches import limits_for
from incorta_provider.storage.ssh.carriers import PushThere
from incorta_provider.storage.ssh.rsync_commands import Handling
from incorta_provider.storage.ssh.volume import RemoteVolume
from incorta_provider.storage.tree import Missed, Tree

_FETCHES = 8
"""At the same time, for each batch: a far source mostly keeps one waiting."""


class SpooledBatches:
    """Copies batches of any source; what arrives must have the digest that it was fetched with.

    :param alone: no other process copies into the area: what is left of former ones is ended and removed.
    """

    spooled_above = 0

    def __init__(self, source: Tree, volume: RemoteVolume, area: bytes, workspace: Workspace, *, alone: bool) -> None:
        self.limits = limits_for(volume.node.streams, workers=volume.node.streams)
        self._source = source
        self._name = volume.node.name.encode()
        self._partial = workspace.partial
        self._home = os.fsencode(workspace.partial)
        self._carrier = PushThere(self._home, volume, area, alone=alone)
        self._numbers = itertools.count(1)

    def __call__(self, batch: Batch) -> list[Entry | Missed]:
        """Copy a batch of files and return what came of each."""
        spool = self._home + b"/spool-%s-%d" % (self._name, next(self._numbers))
        ensure_spool_room(self._partial, sum(entry.size for entry in batch))
        with translated(os.fsdecode(spool)):
            remove_tree(spool)
            make_folders(spool)
        try:
            with ThreadPoolExecutor(_FETCHES) as threads:
                fetched = list(threads.map(lambda entry: self._fetch(entry, spool), batch))
            self._push(spool, [entry for entry in fetched if isinstance(entry, Entry)])
        finally:
            remove_tree(spool)
        return fetched

    def _fetch(self, entry: Entry, spool: bytes) -> Entry | Missed:
        into = spool + b"/" + entry.path
        with translated(os.fsdecode(into)):
            make_folders(parent_of(into))
        return self._source.fetch(entry, into)

    def _push(self, spool: bytes, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        carrier = self._carrier
        incoming, ended = carrier.bring_from(spool, [entry.path for entry in entries], Handling.CAREFUL)
        rsync.ensure_ended_well(ended, carrier.place)
        if ended.status:
            raise rsync.fault(ended, carrier.place)
        if None in carrier.take_in(incoming, entries):
            raise IntegrityError(
                "a file is not at the node as it was sent", where=carrier.place, fix="Look at the disk there."
            )
