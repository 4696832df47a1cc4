"""Get the agent to a node and start it: one command, which asks for the agent's file only if the node lacks it.

:raises ConfigurationError: the node has no Python of a fitting version, or no folder to keep the agent in.
:raises TransientError: the node does not answer, or the connection was lost.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.ssh.shell import NodeShell
from incorta_provider.storage.ssh.bundle import bundle

if TYPE_CHECKING:
    import paramiko

_SAID = b"incorta-dr "
"""Begins each line that is ours: what a login script prints comes before."""

_SCRIPT = r"""
import hashlib, os, sys
def say(text):
    os.write(1, ("incorta-dr " + text + "\n").encode("ascii", "backslashreplace"))
if sys.version_info < (3, 11):
    say("old %s" % sys.version.split()[0])
    sys.exit(0)
digest, size = sys.argv[1], int(sys.argv[2])
folder = os.path.join(os.path.expanduser("~"), ".cache", "incorta-dr")
path = os.path.join(folder, digest + ".pyz")
def found():
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() == digest
    except FileNotFoundError:
        return False
def bring():
    say("send")
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            sys.exit(0)
        data += part
    if hashlib.sha256(data).hexdigest() != digest:
        raise OSError("the agent arrived damaged")
    draft = "%s.%d" % (path, os.getpid())
    with open(draft, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, path)
try:
    os.umask(0o077)
    os.makedirs(folder, 0o700, exist_ok=True)
    facts = os.stat(folder)
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise OSError("others may write to " + folder)
    if not found():
        bring()
except OSError as error:
    say("unfit %s" % error)
    sys.exit(0)
sys.path.insert(0, path)
sys.argv[1:] = []
from incorta_provider.storage.ssh.agent import main
main()
"""
"""Runs in any Python 3, so that an old one can be named."""

_ANSWER_SECONDS = 30.0
_STATUS_SECONDS = 10.0
"""The exit status comes after the end of the output: mostly at once, but a busy node takes its time."""
_MAX_NOISE = 64 * 1024
_NO_PYTHON = "Install Python 3.11 or newer there, and set its path as python in the connection's extra field."


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts agents over logins at one node.

    :param python: the node's Python: a path, or a name on its ``PATH``.
    """

    python: str

    def start(self, shell: NodeShell) -> paramiko.Channel:
        """Return the channel to an agent that is ready."""
        packed = bundle()
        argv = [self.python, "-I", "-X", "utf8", "-c", _SCRIPT, packed.sha256, str(len(packed.data))]
        channel = shell.start(argv)
        try:
            while (line := _line(channel, shell.place)) != b"agent ready":
                if line == b"send":
                    channel.sendall(packed.data)
                else:
                    raise self._refused(line, shell.place)
        except OSError as error:
            raise _lost(error, shell.place) from error
        except DrError as error:
            raise self._silent(channel, error, shell.place) from None
        return channel

    def _refused(self, line: bytes, place: str) -> ConfigurationError:
        kind, _, text = line.decode("ascii", "replace").partition(" ")
        if kind == "old":
            return ConfigurationError(f"Python {text} at the node is too old", where=place, fix=_NO_PYTHON)
        return ConfigurationError(
            f"the node cannot keep the agent: {text}",
            where=place,
            fix="Let the account write to .cache/incorta-dr in its home, and nobody else.",
        )

    def _silent(self, channel: paramiko.Channel, error: DrError, place: str) -> DrError:
        """Return what the end of a command without an answer means: mostly that there is no such command."""
        if not isinstance(error, TransientError) or not channel.exit_status_ready():
            return error
        status, told = channel.recv_exit_status(), _complaint(channel)
        if status in {126, 127} or (status == 2 and "-I" in told):
            return ConfigurationError(
                f"there is no Python 3 at the node under the name {self.python}: {told or f'exit status {status}'}",
                where=place,
                fix=_NO_PYTHON,
            )
        return TransientError(
            f"the agent did not start, exit status {status}: {told}", where=place, fix="Look at the node, then retry."
        )


def _line(channel: paramiko.Channel, place: str) -> bytes:
    """Return the next line of ours, byte by byte, because what comes after it is the agent's."""
    channel.settimeout(1.0)
    deadline = time.monotonic() + _ANSWER_SECONDS
    text, taken = b"", 0
    while taken < _MAX_NOISE and time.monotonic() < deadline:
        try:
            byte = channel.recv(1)
        except TimeoutError:
            continue
        if not byte:
            channel.status_event.wait(_STATUS_SECONDS)
            raise _lost(EOFError("the command ended"), place)
        taken += 1
        if byte != b"\n":
            text += byte
        elif text.startswith(_SAID):
            return text.removeprefix(_SAID)
        else:
            text = b""
    raise TransientError("the agent does not answer", where=place, fix="Is the node overloaded, or its home missing?")


def _complaint(channel: paramiko.Channel) -> str:
    told = channel.recv_stderr(4096) if channel.recv_stderr_ready() else b""
    return told.decode(errors="replace").strip()[-300:]


def _lost(error: Exception, place: str) -> TransientError:
    return TransientError(
        f"the connection was lost while the agent started: {error or type(error).__name__}",
        where=place,
        fix="Trying again is safe.",
    )
