"""Kills the calling process at a chosen call that changes something on a disk, and lists all such calls.

What counts are the functions of the operating system through which everything durable happens: data, names, times and
modes, syncs and locks. A buffered write reaches the disk with the flush, sync or close behind it.
"""

from __future__ import annotations

import builtins
import fcntl
import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from incorta_provider.storage import durable

WRITING = ["write", "pwrite", "rename", "replace", "link", "symlink", "mkdir", "rmdir", "unlink", "remove"]
WRITING += ["chmod", "fchmod", "utime", "fsync", "truncate", "ftruncate"]


@dataclass
class Killer:
    """Lists the calls that write, and ends the process at one of them.

    :param die_at: the call's number, from 1 on; 0 lets the process live.
    :param when: ``before`` or ``after`` the call.
    :param root: what is cut off of the paths in the list.
    """

    die_at: int = 0
    when: str = "before"
    root: str = ""
    calls: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Stand around every function that changes files; for good, so only in a process that ends with the run."""
        for name in WRITING:
            setattr(os, name, self._around(name, getattr(os, name)))
        durable._libc.syncfs = self._around("syncfs", durable._libc.syncfs)
        fcntl.flock = self._around("flock", fcntl.flock)
        self._watch_opens()

    def _watch_opens(self) -> None:
        opened, io_opened = os.open, io.open
        watched, io_watched = self._around("open", opened), self._around("open", io_opened)

        def open_handle(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            writes = flags & (os.O_CREAT | os.O_TRUNC)
            return int((watched if writes else opened)(path, flags, *rest, **named))

        def open_file(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            return (io_watched if set(mode) & set("wax+") else io_opened)(file, mode, *rest, **named)

        os.open = open_handle
        io.open = builtins.open = open_file  # type: ignore[assignment]

    def _around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append(f"{name} {self._shown(arguments)}".strip())
            number = len(self.calls)
            self._die_if(number, "before")
            try:
                return function(*arguments, **named)
            finally:
                self._die_if(number, "after")

        return call

    def _die_if(self, number: int, when: str) -> None:
        if (number, when) == (self.die_at, self.when):
            os.kill(os.getpid(), signal.SIGKILL)

    def _shown(self, arguments: tuple[Any, ...]) -> str:
        paths = (os.fsdecode(each) for each in arguments if isinstance(each, (str, bytes, os.PathLike)))
        return " -> ".join(path.removeprefix(self.root)[:120] for path in paths)
