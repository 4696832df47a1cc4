"""The dump client's output: a complete dump of one schema as SQL text.

Triggers are not the client's: it repeats them as they were typed, with the schema's name if that was typed. They are
appended here, without it, behind the data. Events are left out: an event of a restored copy would run.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from incorta_provider.dr.inventory import Code
from incorta_provider.exceptions import ConfigurationError, IntegrityError
from incorta_provider.metadata.archive import CHUNK
from incorta_provider.metadata.client import Client, running
from incorta_provider.metadata.ddl import encoded, session_settings
from incorta_provider.metadata.endpoint import Endpoint

OPTIONS = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--hex-blob",
    "--tz-utc",
    "--no-tablespaces",
    "--skip-dump-date",
    "--max-allowed-packet=1G",
)
"""``--tz-utc`` carries TIMESTAMPs as instants, ``--hex-blob`` binary values as they are; without a date, the same data
give the same dump."""

_POSITION = re.compile(rb"^-- CHANGE MASTER TO MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=(\d+);", re.MULTILINE)
_END = b"-- Dump completed"
_TAIL_BYTES = 64
_HEAD_BYTES = 1 << 16
_PAUSE_SECONDS = 0.001


@dataclass(slots=True)
class DumpStream:
    """A dump that is running."""

    client: Client
    _head: bytes = field(default=b"", init=False)

    def position(self, while_waiting: Callable[[], None]) -> str:
        """Return the binary log position of the client's snapshot, ``file:offset``.

        :param while_waiting: is called over and over until the client has said it.
        :raises DrError: the client ended without saying it.
        """
        while not (found := _POSITION.search(self._head)):
            while_waiting()
            if select.select([self.client.output], [], [], _PAUSE_SECONDS)[0]:
                self._read_head()
        return f"{found[1].decode()}:{int(found[2])}"

    def _read_head(self) -> None:
        piece = self.client.output.read1(CHUNK)
        if not piece:
            self.client.finish()
        if not piece or len(self._head) > _HEAD_BYTES:
            raise ConfigurationError(
                f"{self.client.name} does not write the position of its snapshot",
                where=self.client.endpoint.label,
                fix="Use the client programs of MariaDB 10.6 or later.",
            )
        self._head += piece

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole dump, that which :meth:`position` read included.

        :raises DrError: the client failed.
        :raises IntegrityError: it ended well, yet its dump has no end.
        """
        tail, piece = b"", self._head or self.client.output.read1(CHUNK)
        while piece:
            yield piece
            tail = (tail + piece[-_TAIL_BYTES:])[-_TAIL_BYTES:]
            piece = self.client.output.read1(CHUNK)
        self.client.finish()
        if _END not in tail:
            raise IntegrityError(
                f"{self.client.name} wrote no end of its dump", where=self.client.endpoint.label, fix="Try again."
            )


@contextmanager
def dumping(endpoint: Endpoint) -> Iterator[DumpStream]:
    """Start a dump of the endpoint's schema whose head tells the position of its snapshot."""
    arguments = [*OPTIONS, "--skip-triggers", "--skip-events", "--master-data=2", endpoint.schema]
    with running("dump", endpoint, arguments) as client:
        yield DumpStream(client)


@contextmanager
def backing_up(endpoint: Endpoint) -> Iterator[DumpStream]:
    """Start a dump of everything in the endpoint's schema, triggers and events as they are."""
    with running("dump", endpoint, [*OPTIONS, "--triggers", "--events", endpoint.schema]) as client:
        yield DumpStream(client)


def trigger_section(triggers: Mapping[str, Code]) -> bytes:
    """Return the SQL text that makes the triggers, each under its own settings, in the order in which they run."""
    parts = [b"\n--\n-- Triggers\n--\n\n"] if triggers else []
    parts += [_trigger(code) for code in triggers.values()]
    return b"".join(parts)


def _trigger(code: Code) -> bytes:
    return f"{session_settings(code)};\nDELIMITER ;;\n".encode() + encoded(code) + b" ;;\nDELIMITER ;\n"
