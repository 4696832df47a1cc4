"""The dump as a file: SQL text, compressed with zstd, whole or absent.

Each file is one zstd frame with its own content checksum, so that a cut or a flipped bit is found by whoever reads it;
``zstd -dc`` shows it to a person.

:raises IntegrityError: a file that is read is cut, changed or no such file at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import zstandard

from incorta_provider.exceptions import IntegrityError, TransientError

LEVEL = 1
"""Half the processor time of zstd's own default for a dump of about the same size."""
CHUNK = 1 << 20


@dataclass(slots=True)
class Archive:
    """A file that is being written.

    :ivar size: compressed bytes so far.
    """

    _file: IO[bytes]
    _digest: Any = field(default_factory=hashlib.sha256)
    _compressor: Any = field(
        default_factory=lambda: zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, threads=1).compressobj()
    )
    size: int = 0

    def write(self, data: bytes) -> None:
        """Append SQL text."""
        self._store(self._compressor.compress(data))

    def close(self) -> str:
        """Finish the frame, flush it to disk and return the SHA-256 of the file."""
        self._store(self._compressor.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        return str(self._digest.hexdigest())

    def _store(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)


@contextmanager
def new_archive(path: Path) -> Iterator[Archive]:
    """Write ``path``: it appears, in place of an older one, when the block ends well."""
    with replacing(path) as file:
        yield Archive(file)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears whole when the block ends well, and not at all otherwise.

    :raises TransientError: it cannot be written, for want of room for example.
    """
    draft = path.with_name(f".{path.name}.tmp")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise TransientError(
            f"the file cannot be written: {error.strerror}",
            where=str(path),
            fix="Make room, or give the worker's account the right to write there; then try again.",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_archive(path: Path) -> Iterator[bytes]:
    """Yield the SQL text of a file in pieces; it is known to be whole only when the last one has come."""
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    try:
        with path.open("rb") as file:
            while data := file.read(CHUNK // 8):
                if decompressor.eof:
                    raise _damaged(path, "something follows its end")
                yield decompressor.decompress(data)
    except (OSError, zstandard.ZstdError) as error:
        raise _damaged(path, str(error)) from None
    if not decompressor.eof:
        raise _damaged(path, "its end is missing")
    if decompressor.unused_data:
        raise _damaged(path, "something follows its end")


def ensure_digest(path: Path, sha256: str) -> None:
    """Refuse a file whose SHA-256 is another.

    :param sha256: in hex.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _damaged(path, str(error)) from None
    if found != sha256:
        raise _damaged(path, f"its SHA-256 is {found}, not {sha256}")


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError(f"the dump is damaged: {what}", where=str(path), fix="Choose another recovery point.")
