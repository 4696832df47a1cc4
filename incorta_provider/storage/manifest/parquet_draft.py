"""A Parquet file of ours that is being written: it appears, whole and on disk, or not at all."""

from __future__ import annotations

import errno
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from incorta_provider.exceptions import DrError, IntegrityError, TransientError
from incorta_provider.late import late
from incorta_provider.storage.durable import sync_file, sync_folder
from incorta_provider.storage.faults import translated
from incorta_provider.storage.flow.crew import Crew
from incorta_provider.storage.flow.watchdog import StalledError
from incorta_provider.storage.manifest.columns import PARQUET

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = late("pyarrow")
    pq = late("pyarrow.parquet")


_NOT_READABLE = frozenset({None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP})
"""What reading answers when trying again cannot help; what is wrong in the file itself has no number."""


class ParquetDraft(ABC):
    """Writes the file ``path``: it appears, whole and on disk, when the ``with`` block ends without an error.

    :raises DrError: it cannot be written, see :func:`incorta_provider.storage.faults.target_fault`.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._schema = schema
        self._draft = path.with_name(f".{path.name}.draft")

    def __enter__(self) -> Self:
        with translated(str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._draft.unlink(missing_ok=True)  # it may be a second name of a file that is whole: see `publish`
            self._file = pq.ParquetWriter(self._draft, self._schema, **PARQUET)
        self._stack = ExitStack()
        self._beside = self._stack.enter_context(Crew[pa.Table, None](1))
        self._writing: Future[None] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, StalledError) and self._writing is not None and not self._writing.done():
            self._stack.__exit__(kind, error, trace)  # the write may hang too: nobody waits for it or touches its file
            return
        with self._stack:
            if error is None:
                self._complete()
            else:
                self._drop()

    def _complete(self) -> None:
        try:
            facts = self._finish()
            self._wait()
            with translated(str(self.path)):
                self._file.add_key_value_metadata({key: json.dumps(value) for key, value in facts.items()})
                self._file.close()
                sync_file(self._draft)
                self._draft.rename(self.path)
                sync_folder(self.path.parent)
        except DrError:
            self._drop()
            raise

    def _put(self, rows: pa.Table) -> None:
        """Have a group of rows written, outside of Python's global lock and beside whoever makes the next one.

        What goes wrong is raised by the next call, or at the end of the block. A write that hangs with its file system
        does not keep the process from ending.
        """
        self._wait()
        self._writing = self._beside.submit(self._write_group, rows)

    def _wait(self) -> None:
        if self._writing is not None:
            self._beside.result(self._writing)

    def _write_group(self, rows: pa.Table) -> None:
        with translated(str(self.path)):
            self._file.write_table(rows)

    def _drop(self) -> None:
        """Remove the draft; on a full disk not even its footer can be written."""
        if self._writing is not None:
            wait([self._writing])
        with suppress(OSError, pa.ArrowException):
            self._file.close()
        with suppress(OSError):
            self._draft.unlink()

    @abstractmethod
    def _finish(self) -> Mapping[bytes, Any]:
        """Write the rows that wait, and return what the footer says about the whole, as JSON."""


@contextmanager
def opened(path: Path, what: str, key: bytes, form: str) -> Iterator[pq.ParquetFile]:
    """Open a file of ours, and turn whatever is wrong with it into one clear error.

    The block may only read this file: what else fails in it would be told as the fault of the file.

    :param what: for the message, such as ``manifest``.
    :param key: under which its footer names its format, which must be ``form``.
    :raises IntegrityError: it is damaged, or of another format.
    :raises TransientError: the storage does not let us read it right now.
    """
    with reading(path, what), pq.ParquetFile(path, page_checksum_verification=True) as file:
        found = (file.metadata.metadata or {}).get(key, b"none").decode(errors="replace")
        if found != form:
            raise _unreadable(path, what, f"has format {found}, not {form}")
        yield file


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Frame what reads a file of ours; raises as :func:`opened` does."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NOT_READABLE:
            raise TransientError(
                f"reading the {what} failed: {error}",
                where=str(path),
                fix="Check the mount of the catalog, then retry.",
            ) from None
        raise _unreadable(path, what, f"cannot be read: {error}") from None


def _unreadable(path: Path, what: str, fault: str) -> IntegrityError:
    return IntegrityError(
        f"the {what} {fault}", where=str(path), fix="Use another recovery point, or start the run again."
    )
