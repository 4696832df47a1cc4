"""The reference check: every file that the metadata names is in the manifest, as the metadata says it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def unmet(references: Iterable[Reference], entries: Iterable[Entry]) -> Iterator[str]:
    """Yield one sentence for each reference that the manifest does not meet.

    Both are read once, side by side: cost in memory does not grow with the replica.

    :param references: sorted by :func:`~incorta_provider.dr.manifest.sort_key`; a path may come more than once.
    :param entries: the manifest, in its own order.
    """
    manifest = iter(entries)
    entry = next(manifest, None)
    for reference in references:
        wanted = sort_key(reference.path)
        while entry is not None and sort_key(entry.path) < wanted:
            entry = next(manifest, None)
        reason = _reason(reference, entry)
        if reason:
            yield f"{shown(reference.path)}: {reason}"


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
