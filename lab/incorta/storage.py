"""Where the files of a tenant lie below the shared storage. Pure: paths are made, nothing is read.

As from Incorta 5.1: a load job writes a new version of a table beside the live one, and snapshots lie in ``ddm/``.
Folders called ``.tmp`` hold what is not finished; no copy needs them.
"""

from __future__ import annotations

from pathlib import PurePosixPath

TEMPORARY = ".tmp"


def version_folder(tenant: str, schema: str, table: str, version: int) -> PurePosixPath:
    """Return the folder with the Parquet files of one version of a table, below the storage root."""
    return PurePosixPath(tenant, "source", schema, table, f"v{version}")


def snapshot_file(tenant: str, schema: str, table: str) -> PurePosixPath:
    """Return the snapshot of a table, below the storage root."""
    return PurePosixPath(tenant, "ddm", schema, f"{table}.ddm")


def upload_folder(tenant: str) -> PurePosixPath:
    """Return the folder of the files that people uploaded, below the storage root."""
    return PurePosixPath(tenant, "data")
