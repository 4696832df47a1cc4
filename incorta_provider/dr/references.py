"""The reference check: every file that the metadata names is in the manifest, as the metadata says it is.

The other way round a file that they do not name is an orphan: an old version, or what a load job was about to commit.
It is told and kept, as nobody but Incorta knows whether it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from incorta_provider.dr.manifest import Entry, Kind, shown, sort_key


@dataclass(frozen=True, slots=True)
class Reference:
    """One file that the metadata names; ``None`` where the metadata does not say.

    :param path: relative to the storage root.
    :param size: bytes.
    :param sha256: 64 hex digits.
    """

    path: bytes
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that the metadata name and that is not there as they say, or one that they ought to name and do not.

    :ivar text: one sentence that names the file.
    """

    text: str
    orphan: bool = False

    def __str__(self) -> str:
        return self.text


def account(
    references: Iterable[Reference], entries: Iterable[Entry], is_accounted: Callable[[bytes], bool]
) -> Iterator[Fault]:
    """Yield each reference that the manifest does not meet, and each orphan.

    Both are read once, side by side: cost in memory does not grow with the replica.

    :param references: sorted by :func:`~incorta_provider.dr.manifest.sort_key`; a path may come more than once.
    :param entries: the manifest, in its own order.
    :param is_accounted: tells whether the metadata are to name the file of this path.
    """
    manifest = iter(entries)
    entry = next(manifest, None)
    named: bytes | None = None
    for reference in references:
        wanted = sort_key(reference.path)
        while entry is not None and sort_key(entry.path) < wanted:
            yield from _orphan(entry, named, is_accounted)
            entry = next(manifest, None)
        named = reference.path
        reason = _reason(reference, entry)
        if reason:
            yield Fault(f"{shown(reference.path)}: {reason}")
    while entry is not None:
        yield from _orphan(entry, named, is_accounted)
        entry = next(manifest, None)


def _orphan(entry: Entry, named: bytes | None, is_accounted: Callable[[bytes], bool]) -> Iterator[Fault]:
    if entry.kind is Kind.FILE and entry.path != named and is_accounted(entry.path):
        yield Fault(f"{shown(entry.path)}: {entry.size} bytes that the metadata do not name", orphan=True)


def _reason(reference: Reference, entry: Entry | None) -> str | None:
    if entry is None or entry.path != reference.path:
        return "named by the metadata, not in the manifest"
    if entry.kind is not Kind.FILE:
        return f"named by the metadata as a file, is a {entry.kind.value}"
    if reference.size is not None and reference.size != entry.size:
        return f"the metadata says {reference.size} bytes, the file has {entry.size}"
    return _digest_reason(reference.sha256, entry.sha256)


def _digest_reason(named: str | None, found: bytes | None) -> str | None:
    if named is None:
        return None
    if found is None:
        return "the metadata says a digest, the manifest has none to compare it with"
    return "its digest is not the one in the metadata" if named.lower() != found.hex() else None
