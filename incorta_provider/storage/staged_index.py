"""What a run has staged, one line a file, appended as the copies are done.

Each pass over the source writes a file of its own, in path order; of several, the newest line of a path counts. So an
index of millions of files is merged as a stream. A line is written behind its file: a process that is killed in between
copies that file again. Reading ends at the first line that is not whole, which is what a crash leaves at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.cursor import as_edits, layered


def to_text(path: bytes) -> str:
    """Return a path as text for JSON; bytes that are no UTF-8 become lone surrogates."""
    return path.decode("utf-8", "surrogateescape")


def from_text(text: str) -> bytes:
    """Return the path that :func:`to_text` was given."""
    return text.encode("utf-8", "surrogateescape")


def quoted(path: bytes) -> str:
    """Return a path as a JSON string."""
    return json.encoder.encode_basestring_ascii(to_text(path))


def to_line(entry: Entry) -> bytes:
    """Return the line of a staged file: a JSON list, put together by hand because it is written for each file."""
    digest = entry.sha256.hex() if entry.sha256 else ""
    version = (entry.version or b"").decode("ascii")
    return f'[{quoted(entry.path)},{entry.size},{entry.mtime_ns},{entry.mode},"{digest}","{version}"]\n'.encode()


def read_index(path: Path) -> Iterator[Entry]:
    """Yield the staged files of one pass, in path order."""
    with path.open("rb") as lines:
        for line in lines:
            entry = _parsed(line)
            if entry is None:
                return
            yield entry


def newest(indexes: Iterable[Path]) -> Iterator[Entry]:
    """Yield the staged files of several passes, in path order, each path once.

    :param indexes: oldest first.
    """
    for _, entry in layered(*(as_edits(read_index(path)) for path in indexes)):
        if entry is not None:
            yield entry


def _parsed(line: bytes) -> Entry | None:
    try:
        text, size, mtime_ns, mode, digest, version = json.loads(line)
        sha256, object_version = bytes.fromhex(digest), version.encode("ascii") or None
        return Entry(from_text(text), Kind.FILE, size, mtime_ns, mode, sha256, version=object_version)
    except (ValueError, TypeError, AttributeError):
        return None
