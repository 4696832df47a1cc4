"""Runs the dump client at a node, over SSH: where it is installed there, or the worker is far from the database.

It cannot be lent a session of ours, so it takes a snapshot of its own, and says first where that lies. Ours are taken
as soon as it has said so; when something was committed in between, they are of another position.

:raises ConfigurationError: the node has no such program, the database asks for TLS, or its engine tells no position.
:raises TransientError: the node or the database cannot be reached, or the connection was cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, IntegrityError
from incorta_provider.late import late
from incorta_provider.metadata.archive import CHUNK
from incorta_provider.metadata.client import program_error
from incorta_provider.metadata.dump_client import END, OPTIONS, TAIL_BYTES
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.engine import Engine
from incorta_provider.metadata.engines.mariadb import position_in
from incorta_provider.ssh.shell import NodeShell
from incorta_provider.ssh.ssh_errors import command_error

if TYPE_CHECKING:
    import paramiko
else:
    paramiko = late("paramiko")

SILENT_SECONDS = 600
"""How long a dump may say nothing before the connection counts as lost: the database may be busy with a large row."""

HEAD_BYTES = 1 << 13
"""Where a dump names its position."""

_SCRIPT = r"""
IFS= read -r MYSQL_PWD || exit 1
export MYSQL_PWD
for program in PROGRAMS; do
    command -v $program >/dev/null && exec $program "$@"
done
echo "Error: none of PROGRAMS is installed" >&2
exit 127
"""
"""The password comes as the first line of the input: it is in no argument, and in no file at the node."""


@dataclass(slots=True)
class NodeDump:
    """A dump that is running at a node.

    :ivar head: what it wrote up to its position.
    """

    channel: paramiko.Channel
    endpoint: Endpoint
    place: str
    program: str
    head: bytes = b""

    def begin(self) -> str:
        """Let it take its snapshot, and return the position of that; empty when it names none."""
        with self._translated():
            self.channel.sendall(self.endpoint.password.encode() + b"\n")
            self.channel.shutdown_write()
            while not (position := position_in(self.head)) and len(self.head) < HEAD_BYTES:
                if not (piece := self.channel.recv(HEAD_BYTES)):
                    break
                self.head += piece
        if not position:
            self._ensure_ended_well()
        return position

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole dump.

        :raises DrError: the client failed, or the connection was cut.
        :raises IntegrityError: it ended well, yet its dump has no end.
        """
        yield self.head
        tail = self.head[-TAIL_BYTES:]
        with self._translated():
            while piece := self.channel.recv(CHUNK):
                yield piece
                tail = (tail + piece[-TAIL_BYTES:])[-TAIL_BYTES:]
        self._ensure_ended_well()
        if END not in tail:
            raise IntegrityError(f"{self.program} did not finish its dump", where=self.place, fix="Try again.")

    def _ensure_ended_well(self) -> None:
        with self._translated():
            status = self.channel.recv_exit_status()
            said = self.channel.makefile_stderr("rb").read()
        if status < 0:
            raise command_error(EOFError("closed by the node"), f"running {self.program}", self.place)
        if status != 0:
            raise program_error(self.program, status, said, f"{self.endpoint.label}, by {self.place}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, paramiko.SSHException) as error:
            raise command_error(error, f"running {self.program}", self.place) from error

    def stop(self) -> None:
        """End it; whoever reads its output finds that it failed."""
        self.channel.close()


@contextmanager
def waiting_at_node(endpoint: Endpoint, node: ConnectionInfo, engine: Engine) -> Iterator[NodeDump]:
    """Log in and make a dump of the endpoint's schema ready, to be begun."""
    if endpoint.tls is not None:
        raise ConfigurationError(
            "a client program at a node is not trusted with TLS: "
            "it silently falls back to plain text when the server offers none",
            where=endpoint.label,
            fix="Remove dump_node from the site, or give the node a safe path to the database that needs no TLS.",
        )
    if not engine.node_dump_options:
        raise ConfigurationError(
            f"a dump of {engine.name} names no position, so nothing proves that it is of our snapshot",
            where=endpoint.label,
            fix="Remove dump_node from the site.",
        )
    names = engine.programs.names["dump"]
    login = (f"--host={endpoint.host}", f"--port={endpoint.port}", f"--user={endpoint.user}", "--protocol=tcp")
    special = (*engine.dump_options, *engine.node_dump_options, "--skip-triggers", "--skip-events")
    arguments = ["--no-defaults", *login, "--default-character-set=utf8mb4", *OPTIONS, *special, endpoint.schema]
    with NodeShell(node) as shell:
        channel = shell.start(["sh", "-c", _SCRIPT.replace("PROGRAMS", " ".join(names)), "sh", *arguments])
        channel.settimeout(SILENT_SECONDS)
        try:
            yield NodeDump(channel, endpoint, shell.place, names[0])
        finally:
            channel.close()
