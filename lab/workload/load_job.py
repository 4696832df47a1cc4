"""One load job: the files of some tables, then one transaction that makes them all live.

The order is Incorta's from 5.1 on, and what a copy may rely on: files are there before the metadata name them, and go
only after the metadata name them no more.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from lab.incorta.database import Session
from lab.incorta.parquet import encode_parquet, engine_payload
from lab.incorta.snapshot import SnapshotHeader, write_snapshot
from lab.incorta.storage import TEMPORARY, snapshot_file, version_folder
from lab.workload.plan import JobPlan
from lab.workload.slow_write import write_slowly


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A Parquet file that was written.

    :param path: below the storage root.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """A new version of a table, written but not live yet."""

    table_id: int
    schema: str
    name: str
    data: pa.Table
    files: tuple[LoadedFile, ...]

    @property
    def full_name(self) -> str:
        """Return schema and table as people write them."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class FileWriter:
    """Writes the Parquet files of new versions.

    :param storage: the root of the shared storage.
    :param parts: how many files a table that is sliced has.
    :param seconds: how long one file takes.
    """

    storage: Path
    tenant: str
    parts: int
    seconds: float
    pause: Callable[[float], None]

    def write_table(self, table_id: int, full_name: str, data: pa.Table, commit: int) -> LoadedTable:
        """Write a version of one table; what an earlier try of the same commit left is removed first."""
        schema, name = full_name.split(".")
        folder = version_folder(self.tenant, schema, name, commit)
        shutil.rmtree(self.storage / folder, ignore_errors=True)
        files = []
        for number, part in enumerate(_split(data, self.parts)):
            content = encode_parquet(part, commit)
            path = folder / f"part-{number:05d}.parquet"
            write_slowly(self.storage / path, content, seconds=self.seconds, pause=self.pause)
            files.append(LoadedFile(str(path), len(content), hashlib.sha256(content).hexdigest()))
        return LoadedTable(table_id, schema, name, data, tuple(files))

    def spill(self, commit: int) -> Path:
        """Write a temporary file, as a job of Spark does; copies leave it out by its folder."""
        path = self.storage / self.tenant / "source" / TEMPORARY / f"spill-{commit}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(commit.to_bytes(8, "big") * 8192)
        return path


def commit_job(session: Session, plan: JobPlan, loaded: Sequence[LoadedTable]) -> None:
    """Make every table of the job live, in one transaction."""
    try:
        with session.cursor() as cursor:
            cursor.execute(
                "INSERT INTO LOAD_COMMIT (COUNTER, TABLE_COUNT, JOB) VALUES (%s, %s, %s)",
                (plan.counter, len(loaded), plan.name),
            )
        for table in loaded:
            _make_live(session, plan.counter, table)
        set_status(session, (table.schema for table in loaded), "Succeeded")
        session.commit()
    except BaseException:
        session.rollback()
        raise


def set_status(session: Session, schemas: Iterable[str], status: str) -> None:
    """Record how the load of the schemas stands; the caller commits."""
    with session.cursor() as cursor:
        cursor.executemany(
            "UPDATE SCHEMA_STATUS SET STATUS = %s, UPDATED_AT = UTC_TIMESTAMP(6) WHERE SCHEMA_NAME = %s",
            [(status, schema) for schema in sorted(set(schemas))],
        )


def write_snapshots(storage: Path, tenant: str, commit: int, loaded: Iterable[LoadedTable]) -> None:
    """Replace the snapshots of the tables that are live now."""
    for table in loaded:
        header = SnapshotHeader(table.full_name, commit, table.data.num_rows)
        write_snapshot(storage / snapshot_file(tenant, table.schema, table.name), header, engine_payload([table.data]))


def _make_live(session: Session, commit: int, table: LoadedTable) -> None:
    rows = table.data.num_rows
    with session.cursor() as cursor:
        cursor.execute("INSERT INTO LOAD_COMMIT_TABLE VALUES (%s, %s, %s)", (commit, table.table_id, rows))
        cursor.execute(
            "INSERT INTO TABLE_VERSION (TABLE_ID, VERSION, ROW_COUNT) VALUES (%s, %s, %s) "
            "ON DUPLICATE KEY UPDATE VERSION = VALUES(VERSION), ROW_COUNT = VALUES(ROW_COUNT), "
            "LOADED_AT = CURRENT_TIMESTAMP(6)",
            (table.table_id, commit, rows),
        )
        cursor.execute("DELETE FROM TABLE_FILE WHERE TABLE_ID = %s", (table.table_id,))
        cursor.executemany(
            "INSERT INTO TABLE_FILE (PATH, TABLE_ID, VERSION, SIZE, SHA256) VALUES (%s, %s, %s, %s, %s)",
            [(file.path, table.table_id, commit, file.size, file.sha256) for file in table.files],
        )


def _split(data: pa.Table, parts: int) -> list[pa.Table]:
    """Return the table in parts of about equal size; small tables in one."""
    if data.num_rows < 10_000:
        return [data]
    step = -(-data.num_rows // parts)
    return [data.slice(start, step) for start in range(0, data.num_rows, step)]
