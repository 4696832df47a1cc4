"""A Parquet file of ours that is being written: it appears, whole and on disk, or not at all."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from incorta_provider.exceptions import IntegrityError
from incorta_provider.late import late
from incorta_provider.storage.durable import sync_file, sync_folder
from incorta_provider.storage.manifest.columns import PARQUET

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = late("pyarrow")
    pq = late("pyarrow.parquet")


class ParquetDraft(ABC):
    """Writes the file ``path``: it appears, whole and on disk, when the ``with`` block ends without an error."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._schema = schema
        self._draft = path.with_name(f".{path.name}.draft")

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = pq.ParquetWriter(self._draft, self._schema, **PARQUET)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._file.close()
            self._draft.unlink()
            return
        facts = self._finish()
        self._file.add_key_value_metadata({key: json.dumps(value) for key, value in facts.items()})
        self._file.close()
        sync_file(self._draft)
        self._draft.rename(self.path)
        sync_folder(self.path.parent)

    @abstractmethod
    def _finish(self) -> Mapping[bytes, Any]:
        """Write the rows that wait, and return what the footer says about the whole, as JSON."""


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
