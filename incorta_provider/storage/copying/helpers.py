"""Helper processes that do one kind of work on batches: one Python each, so that small files use every processor.

The first is started with a fresh interpreter and not forked, because a task of Airflow has threads. The others it forks
from itself, once it has imported what the work needs and while it has no thread: an import that takes a quarter of a
second is paid once and its memory is shared. The kernel kills them when the process that started them dies, so none
goes on writing after a run was killed.

:raises TransientError: a helper ended by itself; the operating system may have killed it for its memory.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import ForkingPickler
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from incorta_provider.exceptions import TransientError

T = TypeVar("T")
R = TypeVar("R")

END_SECONDS = 10
"""Longer takes only a process that not even a kill ends: in a system call of a file system that hangs."""

_PROGRAM = "from incorta_provider.storage.copying.helper_process import main; main()"


class Helpers(Generic[T, R]):
    """Calls ``work`` in one of several processes; each call blocks until its result is there.

    :param work: picklable; as many calls at once as there are helpers.
    """

    def __init__(self, work: Callable[[T], R], count: int) -> None:
        self._work = work
        self._count = count
        self._first: subprocess.Popen[bytes] | None = None
        self._idle: queue.SimpleQueue[Connection[Any, Any]] = queue.SimpleQueue()
        self._all: list[Connection[Any, Any]] = []

    def __enter__(self) -> Self:
        packed = ForkingPickler.dumps(self._work)
        pairs = [Pipe() for _ in range(self._count)]
        self._all = [ours for ours, _ in pairs]
        self._first = _start([theirs.fileno() for _, theirs in pairs])
        for _, theirs in pairs:
            theirs.close()
        with suppress(OSError):  # it died at once: the first call says so
            self._all[0].send_bytes(packed)
        for ours in self._all:
            self._idle.put(ours)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the helpers: they are idle, unless an error left some in a call that may never return.

        The first waits for those that it forked; when it is killed, they are killed with it.
        """
        for connection in self._all:
            connection.close()
        if self._first is None:
            return
        if kind is not None:
            self._first.kill()
        with suppress(subprocess.TimeoutExpired):
            self._first.wait(END_SECONDS)

    def __call__(self, item: T) -> R:
        """Return ``work(item)``, or raise what it raised."""
        connection = self._idle.get()
        try:
            connection.send(item)
            result, error = connection.recv()
        except (EOFError, OSError):
            raise TransientError(
                "a helper process ended in the middle of its work",
                where=f"process {os.getpid()}",
                fix="Check the memory of the worker, then retry.",
            ) from None
        finally:
            self._idle.put(connection)
        if error is not None:
            kind, what, where, fix = error
            raise kind(what, where=where, fix=fix)
        return cast("R", result)


def _start(handles: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start the first helper, with the other end of each pipe."""
    arguments = [sys.executable, "-c", _PROGRAM, str(os.getpid()), *map(str, handles)]
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        arguments, pass_fds=handles, stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": paths}
    )
