"""Kills the calling process at a chosen call that changes something on a disk, and lists all such calls.

What counts are the functions of the operating system through which everything durable happens: data, names, times and
modes, syncs and locks. A buffered write reaches the disk with the flush, sync or close behind it.
"""

from __future__ import annotations

import builtins
import fcntl
import io
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pymysql.connections

from incorta_provider.storage import durable
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.ssh.node_agent import _Agent
from incorta_provider.storage.ssh.wire import encode

CHANGES = re.compile(r"(?:CREATE|DROP|ALTER|RENAME|INSERT|UPDATE|DELETE)\b")
COM_QUERY = 3
"""MySQL manual, *Protocol*: the command that carries a statement."""

_BEAT = encode({"do": "beat"})
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

    def watch_files(self) -> None:
        """Stand around every function that changes files; for good, so only in a process that ends with the run."""
        for name in WRITING:
            setattr(os, name, self.around(name, getattr(os, name)))
        durable._libc.syncfs = self.around("syncfs", durable._libc.syncfs)
        fcntl.flock = self.around("flock", fcntl.flock)
        self._watch_opens()

    def watch_node(self) -> None:
        """Stand around every question to an agent at a node, and every start of a program such as rsync.

        Killed behind one, the agent or the program is at work and its answer is never read.
        """
        asked = _Agent._send
        counted = self.around("ask", asked)

        def ask(agent: _Agent, data: bytes) -> None:
            (asked if data == _BEAT else counted)(agent, data)

        _Agent._send = ask  # type: ignore[method-assign]
        subprocess.Popen.__init__ = self.around("start", subprocess.Popen.__init__)  # type: ignore[method-assign]

    def watch_bucket(self) -> None:
        """Stand around every request that changes a bucket, and every record that becomes durable here."""
        sent = Bucket.send
        counted = self.around("send", sent)

        def send(bucket: Bucket, request: Any, *rest: Any, **named: Any) -> Any:
            return (sent if request.method in {"GET", "HEAD"} else counted)(bucket, request, *rest, **named)

        Bucket.send = send  # type: ignore[method-assign]
        for name in ("rename", "replace", "unlink", "fsync"):
            setattr(os, name, self.around(name, getattr(os, name)))

    def watch_database(self) -> None:
        """Stand around every statement that changes something, every client program, and every record of it here.

        Killed before one, the server never hears of it; killed behind one, it carries it out and nobody hears of that.
        """
        sent = pymysql.connections.Connection._execute_command
        counted = self.around("send", lambda _, connection, command, sql: sent(connection, command, sql))

        def send(connection: Any, command: int, sql: Any) -> None:
            text = sql if isinstance(sql, str) else sql.decode(errors="replace")
            if command == COM_QUERY and CHANGES.match(text):
                counted(text, connection, command, sql)
            else:
                sent(connection, command, sql)

        pymysql.connections.Connection._execute_command = send
        subprocess.Popen.__init__ = self.around("start", subprocess.Popen.__init__)  # type: ignore[method-assign]
        for name in ("rename", "unlink", "fsync"):
            setattr(os, name, self.around(name, getattr(os, name)))

    def _watch_opens(self) -> None:
        opened, io_opened = os.open, io.open
        watched, io_watched = self.around("open", opened), self.around("open", io_opened)

        def open_handle(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            writes = flags & (os.O_CREAT | os.O_TRUNC)
            return int((watched if writes else opened)(path, flags, *rest, **named))

        def open_file(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            return (io_watched if set(mode) & set("wax+") else io_opened)(file, mode, *rest, **named)

        os.open = open_handle
        io.open = builtins.open = open_file  # type: ignore[assignment]

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts its calls, and is where the process ends."""

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
