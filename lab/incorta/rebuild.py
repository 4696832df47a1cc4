"""Makes snapshots again from the live Parquet files: Incorta's load from staging.

Raises :class:`OSError` when a Parquet file cannot be read.
"""

from __future__ import annotations

from pathlib import Path

from lab.incorta.database import Session
from lab.incorta.live import LiveTable, live_tables, table_files
from lab.incorta.parquet import engine_payload, read_tables
from lab.incorta.snapshot import SnapshotHeader, write_snapshot
from lab.incorta.storage import snapshot_file


def rebuild(session: Session, storage_root: Path, tenant: str, table: LiveTable) -> None:
    """Write the snapshot of one live table."""
    parts = read_tables(storage_root / record.path for record in table_files(session, table))
    header = SnapshotHeader(table.full_name, table.version, sum(part.num_rows for part in parts))
    write_snapshot(storage_root / snapshot_file(tenant, table.schema, table.name), header, engine_payload(parts))


def rebuild_schema(session: Session, storage_root: Path, tenant: str, schema: str) -> int:
    """Write the snapshots of a whole schema and return how many there are."""
    tables = live_tables(session, schema)
    for table in tables:
        rebuild(session, storage_root, tenant, table)
    return len(tables)
