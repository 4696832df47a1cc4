"""What the metadata says is live: the tables, their versions and the files that belong to them."""

from __future__ import annotations

from dataclasses import dataclass

from lab.incorta.database import Session


@dataclass(frozen=True, slots=True)
class LiveTable:
    """One table and the version that queries see."""

    table_id: int
    schema: str
    name: str
    version: int
    rows: int

    @property
    def full_name(self) -> str:
        """Return schema and table as people write them."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as the metadata knows it.

    :param source: the metadata table that names it.
    :param path: below the root of the shared storage.
    :param sha256: in hexadecimal.
    """

    source: str
    path: str
    size: int
    sha256: str


def live_tables(session: Session, schema: str | None = None) -> list[LiveTable]:
    """Return the live tables, of one schema when it is given."""
    query = (
        "SELECT T.ID, T.SCHEMA_NAME, T.TABLE_NAME, V.VERSION, V.ROW_COUNT FROM SCHEMA_TABLE T "
        "JOIN TABLE_VERSION V ON V.TABLE_ID = T.ID WHERE %s IS NULL OR T.SCHEMA_NAME = %s ORDER BY T.ID"
    )
    with session.cursor() as cursor:
        cursor.execute(query, (schema, schema))
        return [LiveTable(*row) for row in cursor.fetchall()]


def table_files(session: Session, table: LiveTable) -> list[FileRecord]:
    """Return the Parquet files of a live table."""
    with session.cursor() as cursor:
        cursor.execute("SELECT PATH, SIZE, SHA256 FROM TABLE_FILE WHERE TABLE_ID = %s ORDER BY PATH", table.table_id)
        return [FileRecord("TABLE_FILE", *row) for row in cursor.fetchall()]


def referenced_files(session: Session) -> list[FileRecord]:
    """Return every file that the metadata names."""
    found: list[FileRecord] = []
    with session.cursor() as cursor:
        for source in ("TABLE_FILE", "DATA_FILE"):
            cursor.execute(f"SELECT PATH, SIZE, SHA256 FROM {source} ORDER BY PATH")
            found += [FileRecord(source, *row) for row in cursor.fetchall()]
    return found


def newest_commit(session: Session) -> int:
    """Return the counter of the newest load commit; 0 before the first."""
    with session.cursor() as cursor:
        cursor.execute("SELECT COALESCE(MAX(COUNTER), 0) FROM LOAD_COMMIT")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
