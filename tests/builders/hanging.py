"""A source that hangs, in a module that a helper process imports in no time."""

from __future__ import annotations

import os
from pathlib import Path

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.tree import Missed


class Hangs(LocalTree):
    """A mount on which one file hangs: opening a pipe that nobody writes to never returns."""

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy any file but ``hangs``, for which a pipe must lie beside ``into``."""
        if entry.path == b"hangs":
            with Path(os.fsdecode(into)).parent.joinpath("pipe").open("rb"):
                pass
        return super().fetch(entry, into)
