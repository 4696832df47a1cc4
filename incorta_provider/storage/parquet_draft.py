"""A Parquet file of ours that is being written: it appears, whole and on disk, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.durable import sync_file, sync_folder
from incorta_provider.storage.manifest_columns import PARQUET


class ParquetDraft:
    """Writes the file ``path`` under another name, until :meth:`publish`.

    :ivar file: takes the groups of rows.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._draft = path.with_name(f".{path.name}.draft")
        self.file = pq.ParquetWriter(self._draft, schema, **PARQUET)

    def publish(self, facts: Mapping[bytes, Any]) -> None:
        """Make the file appear.

        :param facts: what its footer says about the whole, as JSON; known only at the end.
        """
        self.file.add_key_value_metadata({key: json.dumps(value) for key, value in facts.items()})
        self.file.close()
        sync_file(self._draft)
        self._draft.rename(self._path)
        sync_folder(self._path.parent)

    def discard(self) -> None:
        """Leave nothing behind."""
        self.file.close()
        self._draft.unlink()


@contextmanager
def opened(path: Path, what: str, key: bytes, form: str) -> Iterator[pq.ParquetFile]:
    """Open a file of ours, and turn whatever is wrong with it into one clear error.

    :param what: for the message, such as ``manifest``.
    :param key: under which its footer names its format, which must be ``form``.
    :raises IntegrityError: it is damaged, or of another format.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            found = (file.metadata.metadata or {}).get(key, b"none").decode(errors="replace")
            if found != form:
                raise _unreadable(path, what, f"has format {found}, not {form}")
            yield file
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, what, f"cannot be read: {error}") from None


def _unreadable(path: Path, what: str, fault: str) -> IntegrityError:
    return IntegrityError(
        f"the {what} {fault}", where=str(path), fix="Use another recovery point, or start the run again."
    )
