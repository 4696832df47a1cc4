"""Dumps a schema, with inventory, row counts, checksums and file references of the very same state.

A few sessions take snapshots until they have the same: one binary log position, no lock on the primary. One of them is
lent to the dump client, which writes that position into the head of the dump; the others count meanwhile. What no
snapshot covers is definitions, so they are read before and after, and a change in between makes the dump start over.
The primary's events are left out of the dump: they stand, with their status, in the inventory.

:raises ConfigurationError: a missing program or right, no usable binary log, a wrong reference query.
:raises PreconditionError: a table that a snapshot does not cover, named.
:raises TransientError: the server went away, or definitions kept changing; nothing is left that looks like a dump.
:raises IntegrityError: the dump client's output is not of our snapshot, or has no end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.references import Reference
from incorta_provider.exceptions import DrError, IntegrityError
from incorta_provider.metadata.archive import new_archive, replacing
from incorta_provider.metadata.attempts import Source, StartOver, impatient, until_proven
from incorta_provider.metadata.checksum import Measure, measure
from incorta_provider.metadata.definer_text import with_definers
from incorta_provider.metadata.definitions import Definitions
from incorta_provider.metadata.dump_client import dumping, trigger_section
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.node_dump import waiting_at_node
from incorta_provider.metadata.references import find_references, write_references

DUMP_FILE = "metadata.sql.zst"
INVENTORY_FILE = "inventory.json"
REFERENCES_FILE = "references.jsonl"

SESSIONS = 4
"""Of these, those with the same snapshot are used: one by the dump client, the others for checksums."""


@dataclass(frozen=True, slots=True)
class DumpReport:
    """What was dumped.

    :ivar position: binary log position of the snapshot, ``file:offset``.
    :ivar bytes: of the compressed dump.
    :ivar sha256: of the dump file, in hex.
    :ivar attempts: 1 unless definitions changed or the server was very busy.
    """

    position: str
    tables: int
    rows: int
    bytes: int
    sha256: str
    references: int
    seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the topology asks of a dump."""

    references: Sequence[str]
    definers: Mapping[str, str]
    node: ConnectionInfo | None


@dataclass(frozen=True, slots=True)
class _Taken:
    """The outcome of one attempt that succeeded."""

    inventory: Inventory
    references: list[Reference]
    bytes: int
    sha256: str


class _Stream(Protocol):
    """A dump that is running."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole dump."""

    def stop(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A dump that is running, and the sessions that count in the state of ``position``, which is also ``gtid``.

    :ivar ensure_same: called with the head of the dump; refuses one that is of another state.
    """

    stream: _Stream
    position: str
    gtid: str
    readers: Sequence[Session]
    ensure_same: Callable[[bytes], None]


_HEAD_BYTES = 1 << 13
"""Where a dump names its position."""


def dump(
    endpoint: Endpoint,
    folder: Path,
    references: Sequence[str] = (),
    definers: Mapping[str, str] | None = None,
    *,
    node: ConnectionInfo | None = None,
) -> DumpReport:
    """Write the three files into ``folder``, in place of what a former try left there.

    :param references: queries for the files that the metadata name.
    :param definers: which account takes the place of which; see :mod:`incorta_provider.dr.definers`.
    :param node: where the dump client runs, over SSH; here when it is None.
    """
    asked = _Asked(references, definers or {}, node)
    started = time.monotonic()
    forget(folder)
    endpoint.ensure_rights()
    try:
        with endpoint.connect() as control, translated(endpoint.label):
            engine = engine_of(control)
            engine.ensure_positions(control)
            source = Source(endpoint, engine, control)
            taken, attempts = until_proven(source, lambda found: _take(source, found, folder, asked))
    except BaseException:
        forget(folder)
        raise
    write_references(folder / REFERENCES_FILE, taken.references)
    with replacing(folder / INVENTORY_FILE) as file:
        file.write(taken.inventory.model_dump_json(indent=1).encode())
    return DumpReport(
        position=taken.inventory.position,
        tables=len(taken.inventory.tables),
        rows=taken.inventory.rows,
        bytes=taken.bytes,
        sha256=taken.sha256,
        references=len(taken.references),
        seconds=time.monotonic() - started,
        attempts=attempts,
    )


def forget(folder: Path) -> None:
    """Remove what a dump wrote, the inventory first: without it, the rest is not a dump."""
    for name in (INVENTORY_FILE, REFERENCES_FILE, DUMP_FILE):
        (folder / name).unlink(missing_ok=True)


def _take(source: Source, found: Definitions, folder: Path, asked: _Asked) -> _Taken:
    definitions, secured = found.with_definers(asked.definers), found.secured(asked.definers)
    with ExitStack() as stack:
        sessions = [stack.enter_context(impatient(source.endpoint.connect())) for _ in range(SESSIONS)]
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        running = partial(_running_at_node, asked.node) if asked.node else _running_here
        with running(source, sessions) as dumped:
            counted = pool.submit(_count, dumped.readers, definitions, asked.references)
            counted.add_done_callback(lambda done: dumped.stream.stop() if done.exception() else None)
            passed = partial(with_definers, rules=asked.definers, secured=secured) if asked.definers else iter
            size, sha256, head = _store(dumped.stream, definitions, folder / DUMP_FILE, counted, passed)
        dumped.ensure_same(head)
        measures, references = counted.result()
    inventory = definitions.inventory(measures, dumped.position, dumped.gtid)
    return _Taken(inventory, references, size, sha256)


@contextmanager
def _running_here(source: Source, sessions: Sequence[Session]) -> Iterator[_Running]:
    """Lend the dump client one of the sessions, with its snapshot."""
    shared = source.engine.share_snapshot(sessions)
    position, (lent, *readers) = shared.position, shared.sessions

    def ensure_same(head: bytes) -> None:
        if (named := source.engine.position_dumped(lent, head, position)) != position:
            raise _other_state(position, named, source)

    with dumping(source.endpoint, lent, source.engine) as stream:
        yield _Running(stream, position, shared.gtid, readers, ensure_same)


@contextmanager
def _running_at_node(node: ConnectionInfo, source: Source, sessions: Sequence[Session]) -> Iterator[_Running]:
    """Take our snapshots as soon as the client at the node has its own; there may be a transaction in between."""
    with waiting_at_node(source.endpoint, node, source.engine) as stream:
        named = stream.begin()
        shared = source.engine.share_snapshot(sessions)
        if named != shared.position:
            raise StartOver(
                f"something was committed between the node's snapshot, {named}, and ours, {shared.position}"
            )
        yield _Running(stream, shared.position, shared.gtid, shared.sessions, lambda head: None)


def _count(
    readers: Sequence[Session], definitions: Definitions, queries: Sequence[str]
) -> tuple[dict[str, Measure], list[Reference]]:
    """Read everything that is counted, in the dump's own state."""
    found = find_references(readers[0], queries)
    return measure(readers, definitions.columns), found


def _store(
    stream: _Stream,
    definitions: Definitions,
    path: Path,
    counted: Future[Any],
    passed: Callable[[Iterator[bytes]], Iterator[bytes]],
) -> tuple[int, str, bytes]:
    """Compress the dump into its file; when the dump was stopped because the counting failed, raise why that did.

    :returns: size and SHA-256 of the file, and the beginning of the dump.
    """
    head = b""
    with new_archive(path) as archive:
        try:
            for piece in passed(stream.pieces()):
                archive.write(piece)
                if len(head) < _HEAD_BYTES:
                    head += piece[:_HEAD_BYTES]
        except DrError:
            if counted.done():
                counted.result()
            raise
        archive.write(trigger_section(definitions.triggers, definitions.collation))
        sha256 = archive.close()
        return archive.size, sha256, head


def _other_state(expected: str, named: str, source: Source) -> IntegrityError:
    """The dump client ended our transaction, or did not read through it."""
    return IntegrityError(
        f"the dump is of position {named or 'unknown'}, the inventory of {expected}",
        where=source.endpoint.label,
        fix=f"Use {source.engine.name}'s own client programs, of the server's release.",
    )
