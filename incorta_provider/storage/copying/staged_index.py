"""What a run has staged, one line a file, appended as the copies are done.

Each pass over the source writes a file of its own, in path order; of several, the newest line of a path counts. So an
index of millions of files is merged as a stream. A line is written after its file: a process that is killed in between
copies that file again. Reading ends at the first line that is not whole, which is what a crash leaves at the end.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby, islice, repeat
from pathlib import Path

from incorta_provider.dr.manifest import Entry, Kind, entry_of
from incorta_provider.storage.copying.proven import Proven

_AT_ONCE = 512
_NOTHING = '""'
_WIDTHS = {8}
_proven_of: Callable[[Iterable[object]], Proven] = partial(tuple.__new__, Proven)


def to_text(path: bytes) -> str:
    """Return a path as text for JSON; bytes that are not UTF-8 become lone surrogates."""
    return path.decode("utf-8", "surrogateescape")


def from_text(text: str) -> bytes:
    """Return the path that :func:`to_text` was given."""
    return text.encode("utf-8", "surrogateescape")


def quoted(path: bytes) -> str:
    """Return a path as a JSON string."""
    return json.encoder.encode_basestring_ascii(to_text(path))


def to_line(staged: Entry | Proven) -> bytes:
    """Return the line of a staged file: a JSON list, put together by hand because it is written for each file."""
    entry, changed_ns, framing = staged if isinstance(staged, Proven) else (staged, 0, "")
    digest = entry.sha256.hex() if entry.sha256 else ""
    version = entry.version.decode("ascii") if entry.version else ""
    facts = f'{entry.size},{entry.mtime_ns},{entry.mode},"{digest}","{version}",{changed_ns}'
    return f"[{quoted(entry.path)},{facts},{json.dumps(framing) if framing else _NOTHING}]\n".encode()


def newest(indexes: Iterable[Path]) -> Iterator[Entry]:
    """Yield the staged files of several passes, in path order, each path once.

    :param indexes: oldest first.
    """
    return (staged.entry for staged in newest_proofs(indexes))


def newest_proofs(indexes: Iterable[Path]) -> Iterator[Proven]:
    """Yield the same with what proves them; of a file that nothing proves the change time is 0."""
    streams = [_read(path) for path in indexes]
    return streams[0] if len(streams) == 1 else _merged(streams)


def _merged(streams: Iterable[Iterator[Proven]]) -> Iterator[Proven]:
    merged = heapq.merge(*streams, key=_path_of)
    for _, versions in groupby(merged, key=_path_of):
        *_, last = versions
        yield last


def _path_of(staged: Proven) -> bytes:
    return staged.entry.path


def _read(path: Path) -> Iterator[Proven]:
    """Yield what the lines say; many are parsed together, which takes a third of the time."""
    with path.open("rb") as file:
        while lines := list(islice(file, _AT_ONCE)):
            parsed = _parsed(lines)
            yield from parsed if parsed is not None else _one_by_one(lines)
            if parsed is None:
                return


def _one_by_one(lines: Iterable[bytes]) -> Iterator[Proven]:
    for line in lines:
        if (parsed := _parsed([line])) is None:
            return
        yield from parsed


def _parsed(lines: list[bytes]) -> list[Proven] | None:
    """Return what lines say; None when one of them is not whole.

    Column by column, because a first sync reads some hundred thousand lines, and more than once.
    """
    try:
        rows = json.loads(b"[%s]" % b",".join(lines))
        if len(rows) != len(lines) or set(map(len, rows)) != _WIDTHS:
            return None
        texts, sizes, times, modes, digests, versions, changed_ns, framings = zip(*rows, strict=True)
        paths = [text.encode("utf-8", "surrogateescape") for text in texts]
        facts = (repeat(Kind.FILE), sizes, times, modes, map(bytes.fromhex, digests), repeat(None))
        named = [version.encode("ascii") or None for version in versions]
        entries = map(entry_of, zip(paths, *facts, named, strict=False))
        return list(map(_proven_of, zip(entries, changed_ns, framings, strict=True)))
    except (ValueError, TypeError, AttributeError):
        return None
