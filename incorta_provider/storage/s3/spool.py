"""A file of the worker that an object is brought into on its way to a bucket."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from types import TracebackType

from incorta_provider.storage.copying.spool_room import ensure_spool_room
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.faults import target_fault


class Spool:
    """A path of this thread's own in the workspace's ``partial`` folder; what is there is gone afterwards.

    To ask for the room is one system call for each file, of the many that writing and reading it takes.

    :param size: bytes that are about to be written.
    :raises PreconditionError: there is no room for them, before or while they are written.
    """

    def __init__(self, workspace: Workspace, size: int) -> None:
        self._folder = workspace.partial
        self._size = size
        self.path = os.fsencode(self._folder) + b"/spool-%d-%d" % (os.getpid(), threading.get_ident())

    def __enter__(self) -> Spool:
        self._remove()
        ensure_spool_room(self._folder, self._size)
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._remove()
        if isinstance(error, OSError):
            raise target_fault(error, os.fsdecode(self.path)) from None

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.path)  # noqa: PTH108 - names are bytes
