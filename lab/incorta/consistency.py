"""Whether the metadata and the files of a site belong together: what the simulator asks before it starts.

A library function as well (:func:`check`), so that a test can ask it hundreds of times without a process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pymysql

from lab.incorta.database import Session
from lab.incorta.digest import sha256_of
from lab.incorta.live import FileRecord, referenced_files
from lab.incorta.snapshot import TornSnapshotError, read_snapshot
from lab.incorta.sql_script import SCHEMA_FILE, object_names

_OBJECT_QUERY = """
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
UNION SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
UNION SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
UNION SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()
"""

_COMMIT_RULES = {
    "commit {} has {} of its {} tables": """
        SELECT C.COUNTER, COUNT(T.TABLE_ID), C.TABLE_COUNT FROM LOAD_COMMIT C
        LEFT JOIN LOAD_COMMIT_TABLE T ON T.COUNTER = C.COUNTER
        GROUP BY C.COUNTER, C.TABLE_COUNT HAVING COUNT(T.TABLE_ID) <> C.TABLE_COUNT""",
    "table {} is live in version {}, but commit {} is its newest": """
        SELECT T.FULL_NAME, V.VERSION, MAX(C.COUNTER) FROM SCHEMA_TABLE T
        LEFT JOIN TABLE_VERSION V ON V.TABLE_ID = T.ID LEFT JOIN LOAD_COMMIT_TABLE C ON C.TABLE_ID = T.ID
        GROUP BY T.ID, T.FULL_NAME, V.VERSION HAVING NOT (V.VERSION <=> MAX(C.COUNTER))""",
    "file {} is of version {}, but version {} of its table is live": """
        SELECT F.PATH, F.VERSION, V.VERSION FROM TABLE_FILE F
        LEFT JOIN TABLE_VERSION V ON V.TABLE_ID = F.TABLE_ID WHERE NOT (F.VERSION <=> V.VERSION)""",
    "version {1} of table {0} has no file": """
        SELECT T.FULL_NAME, V.VERSION FROM TABLE_VERSION V JOIN SCHEMA_TABLE T ON T.ID = V.TABLE_ID
        LEFT JOIN TABLE_FILE F ON F.TABLE_ID = V.TABLE_ID WHERE F.PATH IS NULL""",
    "version {} is live, but there is no such commit": """
        SELECT V.VERSION FROM TABLE_VERSION V LEFT JOIN LOAD_COMMIT C ON C.COUNTER = V.VERSION
        WHERE C.COUNTER IS NULL""",
}
"""What never happens in metadata that are of one moment: the complaint, and a query that finds its cases."""


def check(connection: Session, storage_root: Path, own_values: Mapping[str, str]) -> list[str]:
    """Return why Incorta would not start on this site's metadata and files; empty when it would.

    :param connection: a session at the site's metadata schema.
    :param storage_root: the site's shared storage, ``Tenants``.
    :param own_values: ``tenants_path``, ``cmc_url`` and ``smtp_host`` as they are at this site.
    """
    try:
        with one_view(connection):
            missing = _missing_objects(connection)
            if missing:
                return missing
            metadata = [*_value_problems(connection, own_values), *_commit_problems(connection)]
            files = referenced_files(connection)
    except pymysql.MySQLError as error:
        return [f"the metadata cannot be read: {error}"]
    return [*metadata, *file_problems(files, storage_root), *snapshot_problems(storage_root)]


@contextmanager
def one_view(connection: Session) -> Iterator[None]:
    """Read everything within as it is now, whatever is committed meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    try:
        yield
    finally:
        connection.rollback()


def file_problems(files: list[FileRecord], storage_root: Path) -> Iterator[str]:
    """Yield what is wrong with the files that the metadata names."""
    for record in files:
        path = storage_root / record.path
        try:
            size = path.stat().st_size
            if size != record.size:
                yield f"{record.path} has {size} bytes; {record.source} says {record.size}"
            elif sha256_of(path) != record.sha256:
                yield f"{record.path} has another content than {record.source} says"
        except FileNotFoundError:
            yield f"{record.path} is not in the shared storage; {record.source} names it"
        except OSError as error:
            yield f"{record.path} cannot be read: {error.strerror}"


def snapshot_problems(storage_root: Path) -> Iterator[str]:
    """Yield the snapshots that are torn. One of another commit is no problem: it is made again."""
    for path in sorted(storage_root.glob("*/ddm/*/*.ddm")):
        try:
            read_snapshot(path)
        except (TornSnapshotError, OSError) as error:
            yield f"snapshot {path.relative_to(storage_root)} {error}"


def _missing_objects(connection: Session) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_OBJECT_QUERY)
        there = {row[0] for row in cursor.fetchall()}
    return [f"the metadata have no {name}" for name in sorted(_expected_objects() - there)]


@cache
def _expected_objects() -> frozenset[str]:
    return object_names(SCHEMA_FILE.read_text(encoding="utf-8"))


def _value_problems(connection: Session, own: Mapping[str, str]) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT NAME, PATH FROM TENANT ORDER BY NAME")
        tenants = cursor.fetchall()
        cursor.execute("SELECT NAME, VALUE FROM SERVER_CONFIG")
        config = {row[0]: row[1] for row in cursor.fetchall()}
    if not tenants:
        yield "the metadata have no tenant"
    for name, path in tenants:
        if path != own["tenants_path"]:
            yield f"tenant {name} points to {path}; this site's storage is {own['tenants_path']}"
    for name in ("cmc_url", "smtp_host"):
        if config.get(name) != own[name]:
            yield f"SERVER_CONFIG {name} is {config.get(name)}; this site's is {own[name]}"


def _commit_problems(connection: Session) -> Iterator[str]:
    with connection.cursor() as cursor:
        for complaint, query in _COMMIT_RULES.items():
            cursor.execute(query)
            for row in cursor.fetchall():
                yield complaint.format(*row)
