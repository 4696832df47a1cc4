"""Asks the metadata which files they name: the queries of the topology, run inside the dump's snapshot.

:raises ConfigurationError: a query fails, or its result is not one that names files; the message shows the query.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import SSDictCursor

from incorta_provider.dr.manifest import sort_key
from incorta_provider.dr.references import Reference
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.archive import replacing
from incorta_provider.metadata.endpoint import Session
from incorta_provider.metadata.errors import TABLE_CHANGED, number_of

_DIGEST_LENGTH = 64


def find_references(session: Session, queries: Sequence[str]) -> list[Reference]:
    """Return what the queries name, sorted by path.

    The session's transaction is read-only, so that a wrong query cannot change the primary.

    :param queries: each returns ``path``, relative to the storage root, and may return ``size`` and ``sha256``.
    """
    found = [reference for query in queries for reference in _ask(session, query)]
    return sorted(found, key=lambda reference: sort_key(reference.path))


def write_references(path: Path, references: Iterable[Reference]) -> None:
    """Write one JSON object a line, in the given order; bytes that are not UTF-8 become lone surrogates (PEP 383)."""
    with replacing(path) as file:
        for reference in references:
            fields = {
                "path": reference.path.decode(errors="surrogateescape"),
                "size": reference.size,
                "sha256": reference.sha256,
            }
            file.write(json.dumps(fields).encode() + b"\n")


def _ask(session: Session, query: str) -> list[Reference]:
    try:
        with session.cursor(SSDictCursor) as cursor:
            cursor.execute(query)
            return [_reference(row, query) for row in cursor]
    except pymysql.MySQLError as error:
        if number_of(error) == TABLE_CHANGED:
            raise
        raise _wrong(query, str(error.args[-1])) from None


def _reference(row: dict[str, Any], query: str) -> Reference:
    named = {key.lower(): value for key, value in row.items()}
    path, size, sha256 = named.get("path"), named.get("size"), named.get("sha256")
    if not path:
        raise _wrong(query, "a row has no path; its columns must be named path, size and sha256")
    raw = path if isinstance(path, bytes) else str(path).encode()
    if raw.startswith(b"/") or b".." in raw.split(b"/"):
        raise _wrong(query, f"{path!r} is not relative to the storage root")
    digest = None if sha256 is None else _text(sha256)
    if digest is not None and len(digest) != _DIGEST_LENGTH:
        raise _wrong(query, f"the digest of {path!r} has not {_DIGEST_LENGTH} hex digits")
    return Reference(raw, None if size is None else int(size), digest)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _wrong(query: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"a reference query does not name files: {what}",
        where=query,
        fix="Correct metadata.references in the topology.",
    )
