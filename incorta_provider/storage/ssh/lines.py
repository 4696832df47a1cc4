"""Logins at one node that are used again: one command after the other travels over the same connection.

A login over a line of 20 ms takes longer than many a batch. So each line has one login, the *master* of OpenSSH's
connection sharing, and what is started over it is a session of that. A master writes nothing, holds no fence, and is
killed with its process. One on which anything failed is ended, and the next use logs in again: nobody waits twice for
a connection that is dead. This module needs only the standard library, because it also runs at nodes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from incorta_provider.ssh.lifeline import start_for_process
from incorta_provider.ssh.openssh import ALIAS, write_shared_options
from incorta_provider.ssh.private_folder import private_folder
from incorta_provider.storage.ssh.rsync import PER_FILE, Ended, complaint_in

_POLL_SECONDS = 0.01
_LOGIN_SECONDS = 60.0
_LOST = 255
"""How the OpenSSH client ends when it is not connected."""

_MAX_SOCKET = 107 - 17
"""Bytes of a socket's path in Linux, less what OpenSSH adds to it while it makes one."""

WriteOptions = Callable[[Path], Path]
"""Writes how to log in into a private folder, see :func:`incorta_provider.ssh.openssh.write_options`."""


class Line:
    """One login.

    :ivar options: for the OpenSSH client, to start something over it.
    :ivar refusal: how the login failed, if it did.
    """

    def __init__(self, write_options: WriteOptions) -> None:
        self._sound = False
        self._stack = ExitStack()
        self._master: subprocess.Popen[bytes] | None = None
        self.refusal: Ended | None = None
        try:
            self.options = self._opened(write_options)
        except BaseException:
            self.close()
            raise

    @property
    def is_sound(self) -> bool:
        """Whether the last use went well, and the login is still there."""
        return self._sound and (self._master is None or self._master.poll() is None)

    def lend(self) -> None:
        """Let it count as lost until the use that begins is judged."""
        self._sound = False

    def judged(self, ended: Ended) -> Ended:
        """Take note of how a use of it ended."""
        self._sound = ended.status in PER_FILE
        return ended

    def close(self) -> None:
        """End the login."""
        self._stack.close()

    def _opened(self, write_options: WriteOptions) -> Path:
        folder = self._stack.enter_context(private_folder())
        socket = folder / "line"
        if shutil.which("ssh") is None or len(os.fsencode(socket)) > _MAX_SOCKET:
            return write_options(folder)  # each use logs in by itself, or says that there is no client
        with private_folder() as keys, tempfile.TemporaryFile() as complaint:
            argv = ["ssh", "-F", str(write_options(keys)), "-M", "-N", "-S", str(socket), ALIAS]
            self._master = start_for_process(argv, complaint)
            self._stack.callback(_end, self._master)
            self.refusal = _refusal(self._master, socket, complaint)
        return write_shared_options(folder, socket)


class Lines:
    """As many logins at a node as are used at the same time; for many threads. They end with it.

    :param write_options: writes how to log in; what it wrote is removed as soon as the login is there.
    """

    def __init__(self, write_options: WriteOptions) -> None:
        self._write_options = write_options
        self._lock = threading.Lock()
        self._idle: list[Line] = []
        self.close = weakref.finalize(self, _close_all, self._idle)

    @contextmanager
    def line(self) -> Iterator[Line]:
        """Lend a line that nobody else uses; it is kept if what was judged of its use was good."""
        line = self._taken() or Line(self._write_options)
        line.lend()
        try:
            yield line
        finally:
            if line.is_sound and self.close.alive:
                with self._lock:
                    self._idle.append(line)
            else:
                line.close()

    def _taken(self) -> Line | None:
        """Return an idle line; one that was lost meanwhile is ended."""
        while True:
            with self._lock:
                line = self._idle.pop() if self._idle else None
            if line is None or line.is_sound:
                return line
            line.close()


def _close_all(lines: list[Line]) -> None:
    while lines:
        lines.pop().close()


def _refusal(master: subprocess.Popen[bytes], socket: Path, complaint: IO[bytes]) -> Ended | None:
    """Wait for a master to be logged in; return how that failed, if it did."""
    deadline = time.monotonic() + _LOGIN_SECONDS
    while not socket.exists():
        if master.poll() is not None:
            return Ended(_LOST, complaint_in(complaint))
        if time.monotonic() > deadline:
            return Ended(_LOST, "the node does not let us log in in time")
        time.sleep(_POLL_SECONDS)
    return None


def _end(master: subprocess.Popen[bytes]) -> None:
    master.kill()
    master.wait()
