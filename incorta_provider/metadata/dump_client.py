"""The dump client's output: a complete dump of one schema as SQL text.

Triggers are not the client's: it repeats them as they were typed, with the schema's name if that was typed. They are
appended here, without it, after the data. Events are left out: an event of a restored copy would run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from incorta_provider.dr.inventory import Code
from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.archive import CHUNK
from incorta_provider.metadata.client import Client, running
from incorta_provider.metadata.ddl import encoded, in_its_settings
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.engine import Engine
from incorta_provider.metadata.option_file import lent_options
from incorta_provider.metadata.relay import lent

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

END = b"-- Dump completed"
TAIL_BYTES = 64


@dataclass(slots=True)
class DumpStream:
    """A dump that is running."""

    client: Client

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole dump.

        :raises DrError: the client failed.
        :raises IntegrityError: it ended well, yet its dump has no end.
        """
        tail = b""
        while piece := self.client.output.read1(CHUNK):
            yield piece
            tail = (tail + piece[-TAIL_BYTES:])[-TAIL_BYTES:]
        self.client.finish()
        if END not in tail:
            raise IntegrityError(
                f"{self.client.name} did not finish its dump", where=self.client.endpoint.label, fix="Try again."
            )

    def stop(self) -> None:
        """End the client; whoever reads its output finds that it failed."""
        self.client.process.kill()


@contextmanager
def dumping(endpoint: Endpoint, session: Session, engine: Engine) -> Iterator[DumpStream]:
    """Start a dump of the endpoint's schema out of the snapshot that a session holds.

    The session must not be used by anyone else meanwhile.
    """
    special = (*engine.dump_options, *engine.lent_dump_options)
    arguments = [*OPTIONS, *special, "--skip-triggers", "--skip-events", endpoint.schema]
    with lent(session) as path:
        options = lent_options(endpoint, path)
        with running("dump", endpoint, arguments, options, programs=engine.programs) as client:
            yield DumpStream(client)


def trigger_section(triggers: Mapping[str, Code], collation: str) -> bytes:
    """Return the SQL text that makes the triggers, each under its own settings, in the order in which they run.

    :param collation: the schema's own.
    """
    if not triggers:
        return b""
    parts = [b"\n--\n-- Triggers\n--\n\nDELIMITER ;;\n"]
    for code in triggers.values():
        statements = in_its_settings(code, encoded(code, code.definition), collation)
        parts += [statement + b" ;;\n" for statement in statements]
    return b"".join([*parts, b"DELIMITER ;\n"])
