"""What a run has staged, one line a file, appended as the copies are done.

Each pass over the source writes a file of its own, in path order; of several, the newest line of a path counts. So an
index of millions of files is merged as a stream. A line is written behind its file: a process that is killed in between
copies that file again. Reading ends at the first line that is not whole, which is what a crash leaves at the end.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.proven import Proven

_UNPROVEN = Proven(Entry(b"", Kind.FILE, 0, 0, 0), 0)


def to_text(path: bytes) -> str:
    """Return a path as text for JSON; bytes that are no UTF-8 become lone surrogates."""
    return path.decode("utf-8", "surrogateescape")


def from_text(text: str) -> bytes:
    """Return the path that :func:`to_text` was given."""
    return text.encode("utf-8", "surrogateescape")


def quoted(path: bytes) -> str:
    """Return a path as a JSON string."""
    return json.encoder.encode_basestring_ascii(to_text(path))


def to_line(staged: Entry | Proven) -> bytes:
    """Return the line of a staged file: a JSON list, put together by hand because it is written for each file."""
    entry, proof = (staged.entry, staged) if isinstance(staged, Proven) else (staged, _UNPROVEN)
    digest = entry.sha256.hex() if entry.sha256 else ""
    version = (entry.version or b"").decode("ascii")
    facts = f'{entry.size},{entry.mtime_ns},{entry.mode},"{digest}","{version}"'
    return f"[{quoted(entry.path)},{facts},{proof.changed_ns},{json.dumps(proof.framing)}]\n".encode()


def read_index(path: Path) -> Iterator[Entry]:
    """Yield the staged files of one pass, in path order."""
    return (staged.entry for staged in _read(path))


def newest(indexes: Iterable[Path]) -> Iterator[Entry]:
    """Yield the staged files of several passes, in path order, each path once.

    :param indexes: oldest first.
    """
    return (staged.entry for staged in newest_proofs(indexes))


def newest_proofs(indexes: Iterable[Path]) -> Iterator[Proven]:
    """Yield the same with what proves them; of a file that nothing proves the change time is 0."""
    merged = heapq.merge(*(_read(path) for path in indexes), key=lambda staged: staged.entry.path)
    for _, versions in groupby(merged, key=lambda staged: staged.entry.path):
        *_, last = versions
        yield last


def _read(path: Path) -> Iterator[Proven]:
    with path.open("rb") as lines:
        for line in lines:
            if (staged := _parsed(line)) is None:
                return
            yield staged


def _parsed(line: bytes) -> Proven | None:
    try:
        text, size, mtime_ns, mode, digest, version, changed_ns, framing = json.loads(line)
        sha256, object_version = bytes.fromhex(digest), version.encode("ascii") or None
        entry = Entry(from_text(text), Kind.FILE, size, mtime_ns, mode, sha256, None, object_version)
        return Proven(entry, changed_ns, framing)
    except (ValueError, TypeError, AttributeError):
        return None
