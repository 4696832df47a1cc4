"""The way to a target that is no folder here: each file is fetched to a spool folder, then handed on."""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH108

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.tree import Missed, Tree
from incorta_provider.storage.work_pool import Batch, Limits
from incorta_provider.storage.workspace import Workspace

Put = Callable[[Entry, bytes], Entry]
"""Brings one spooled file (its entry with digest, its path) into the staging, and returns what is recorded of it."""


class SpooledCopier:
    """Copies files of any source by way of the workspace's ``partial`` folder, which holds one file a thread.

    :param put: of the target; for many threads.
    :param limits: without helper processes, unless source and ``put`` can be pickled.
    """

    def __init__(self, source: Tree, workspace: Workspace, put: Put, limits: Limits) -> None:
        self.limits = limits
        self._source = source
        self._spool = os.fsencode(workspace.partial)
        self._put = put

    def __call__(self, batch: Batch) -> list[Entry | Missed]:
        """Copy a batch of files and return what came of each."""
        return [self._copy(entry) for entry in batch]

    def _copy(self, entry: Entry) -> Entry | Missed:
        spooled = self._spool + b"/spool-%d-%d" % (os.getpid(), threading.get_ident())
        with suppress(FileNotFoundError):
            os.unlink(spooled)
        fetched = self._source.fetch(entry, spooled)
        if isinstance(fetched, Missed):
            return fetched
        try:
            return self._put(fetched, spooled)
        finally:
            os.unlink(spooled)
