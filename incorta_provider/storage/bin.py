"""Workspaces that are being removed: ``bin/`` of the catalog.

A workspace gets there by one rename, so that a half removed one never looks like one that is whole. What its run staged
elsewhere goes first, because the name of the run is only here.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from incorta_provider.exceptions import DrError
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.faults import translated
from incorta_provider.storage.folders import remove_tree

log = logging.getLogger(__name__)


class Bin:
    """The bin in the folder ``root``, with the workspaces that are in use in the folder ``workspaces``."""

    def __init__(self, root: Path, workspaces: Path) -> None:
        self._root = root
        self._workspaces = workspaces

    def throw(self, workspace: Path) -> None:
        """Move a workspace here.

        :raises TransientError: a task is at work in it; nothing was moved.
        """
        with translated(str(workspace)), Workspace(workspace).lock():
            place = self._root / uuid.uuid4().hex
            place.mkdir(mode=0o700, parents=True)
            workspace.rename(place / workspace.name)

    def empty(self, staged: Callable[[Workspace], None]) -> None:
        """Remove what is here, with what was staged elsewhere.

        What cannot be removed elsewhere must not hold up a run that has nothing to do with it: its name stays here, and
        the next run tries again.

        :param staged: drops what a run staged outside of its workspace.
        """
        kept = {thrown.parent for thrown in self._root.glob("*/*") if not self._is_dropped(thrown, staged)}
        with translated(str(self._root)):
            for folder in self._root.glob("*") if kept else (self._root,):
                if folder not in kept:
                    remove_tree(os.fsencode(folder))

    def _is_dropped(self, thrown: Path, staged: Callable[[Workspace], None]) -> bool:
        """Drop what a run staged elsewhere, unless it is under way again, and tell whether it is gone."""
        if (self._workspaces / thrown.name).exists():
            return True
        try:
            staged(Workspace(thrown))
        except DrError as error:
            log.warning("what run %s staged stays for now: %s", thrown.name, error)
            return False
        return True
