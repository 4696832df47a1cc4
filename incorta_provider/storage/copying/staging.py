"""Put copies where they belong in a workspace.

A file goes straight to its own path, because a rename for each of many small files doubles the cost of the copy. Until
its line is in the index nothing believes in it. Only a file that is staged already, in another version, is copied
beside and renamed: the earlier version stays good until the newer one is whole.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH105, PTH108, PTH112

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

from incorta_provider.dr.manifest import Entry, parent_of
from incorta_provider.storage.copying.proven import Outcome, Proven
from incorta_provider.storage.copying.work_pool import LIMITS, Batch
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.folders import make_folders_below, remove_tree
from incorta_provider.storage.tree import Missed

Fetch = Callable[[Entry, bytes], Outcome]
"""Copies one file to a path where nothing is yet; raises FileExistsError when there is something."""


class Staging:
    """Copies files of one source into one workspace that is mounted here.

    It fits :class:`incorta_provider.storage.target.Copier`.

    :param fetch: of the source; can be pickled.
    """

    limits = LIMITS
    spooled_above = None

    def __init__(self, fetch: Fetch, workspace: Workspace) -> None:
        self._fetch = fetch
        self._files = os.fsencode(workspace.files)
        self._partial = os.fsencode(workspace.partial)

    def __call__(self, batch: Batch) -> list[Outcome]:
        """Copy a batch of files and return what came of each."""
        outcomes: list[Outcome] = []
        made: bytes | None = None
        try:
            with self.fetching() as fetch:
                for entry in batch:
                    folder = parent_of(entry.path)
                    if folder != made:
                        make_folders_below(self._files, folder)
                        made = folder
                    outcomes.append(self._copy(fetch, entry))
        except OSError as error:
            raise target_fault(error, os.fsdecode(self._files)) from None
        return outcomes

    def fetching(self) -> AbstractContextManager[Fetch]:
        """Lend what copies the files of one batch."""
        return nullcontext(self._fetch)

    def _copy(self, fetch: Fetch, entry: Entry) -> Outcome:
        final = self._files + b"/" + entry.path
        try:
            return fetch(entry, final)
        except FileExistsError:
            return self._replace(fetch, entry, final)

    def _replace(self, fetch: Fetch, entry: Entry, final: bytes) -> Outcome:
        beside = self._partial + b"/%d-%d" % (os.getpid(), threading.get_ident())
        with suppress(FileNotFoundError):
            os.unlink(beside)
        copied = fetch(entry, beside)
        if isinstance(copied, Missed):
            return copied
        if os.path.isdir(final):
            remove_tree(final)
        os.replace(beside, final)
        return copied._replace(changed_ns=os.lstat(final).st_ctime_ns) if isinstance(copied, Proven) else copied
