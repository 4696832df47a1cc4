"""Compare the live replica with a manifest: proof instead of belief.

Shallow compares kind, size, time, mode and link target of everything, and costs a listing. Deep compares digests
instead of times, and costs reading everything. Times of folders are not compared: they say when names in a folder
changed, and two sites reach the same names on different ways.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from incorta_provider.dr.diff import align, same_content, same_mtime
from incorta_provider.dr.manifest import Entry, Kind, OpenFolders
from incorta_provider.storage.copying.work_pool import in_order
from incorta_provider.storage.digests import Reading
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.target import Target

_Paths = tuple[bytes, ...]
_Some = Collection[bytes]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a comparison found.

    :param files: how many files the manifest names, ``bytes`` in all.
    :param missing: named by the manifest, not in the tree.
    :param unexpected: in the tree, not named by the manifest.
    :param different: in both, not the same.
    :param waiting: how many others do not count, because a run is replicating them.
    """

    files: int
    bytes: int
    missing: _Paths
    unexpected: _Paths
    different: _Paths
    waiting: int = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.unexpected or self.different)

    def without(self, paths: _Some) -> VerifyReport:
        """Return the findings without those that a run is replicating."""
        missing, unexpected, different = (
            tuple(path for path in found if path not in paths)
            for found in (self.missing, self.unexpected, self.different)
        )
        left = len(missing) + len(unexpected) + len(different)
        found = len(self.missing) + len(self.unexpected) + len(self.different)
        return replace(self, missing=missing, unexpected=unexpected, different=different, waiting=found - left)


def verify_replica(
    target: Target,
    manifest: Path,
    *,
    deep: bool,
    exclude: Sequence[str] = (),
    chosen: Callable[[Entry], bool] | None = None,
) -> VerifyReport:
    """Compare the live replica with a manifest; both without what ``exclude`` leaves out.

    :param deep: read every file and compare digests, in place of times.
    :param chosen: beside sizes and times, compare the digests of these files; asked once for each that looks alike.
    :raises IntegrityError: the tree holds what no recovery point can: a special file, or a link out of it.
    """
    comparison = _Comparison(Exclude(exclude))
    pairs = comparison.pairs(target.live(exclude).list(), read_manifest(manifest), deep=deep)
    unread = pairs if deep else (entry for entry in pairs if chosen is not None and chosen(entry))
    reader = target.live_reader()
    for batch, readings in in_order(reader, unread, reader.limits):
        comparison.judge(batch, readings)
    return comparison.report()


@dataclass(slots=True)
class _Comparison:
    exclude: Exclude
    files: int = 0
    size: int = 0
    missing: list[bytes] = field(default_factory=list)
    unexpected: list[bytes] = field(default_factory=list)
    different: list[bytes] = field(default_factory=list)
    _folders_left_out: OpenFolders = field(default_factory=OpenFolders)

    def pairs(self, listing: Iterator[Entry], manifest: Iterator[Entry], *, deep: bool) -> Iterator[Entry]:
        """Settle what a listing shows, and yield the manifest's files whose content is still to be read."""
        for found, wanted in align(listing, manifest):
            if wanted is None:
                self._surplus(found)
            elif not self._is_left_out(wanted):
                self._count(wanted)
                if found is None:
                    self.missing.append(wanted.path)
                elif not _looks_alike(found, wanted, deep=deep):
                    self.different.append(wanted.path)
                elif wanted.kind is Kind.FILE:
                    yield wanted

    def judge(self, batch: list[Entry], readings: list[Reading]) -> None:
        """Compare what files hold with what the manifest says."""
        self.different += [
            entry.path for entry, reading in zip(batch, readings, strict=True) if not reading.holds(entry)
        ]

    def report(self) -> VerifyReport:
        """Return the findings."""
        return VerifyReport(
            self.files, self.size, tuple(self.missing), tuple(self.unexpected), tuple(sorted(self.different))
        )

    def _is_left_out(self, wanted: Entry) -> bool:
        """Tell whether a pattern leaves the entry or a folder above it out, now if not when the point was made."""
        if not self.exclude:
            return False
        is_folder = wanted.kind is Kind.DIR
        left_out = self._folders_left_out.contains(wanted.path) or self.exclude.matches(
            wanted.path, is_folder=is_folder
        )
        if left_out and is_folder:
            self._folders_left_out.enter(wanted.path)
        return left_out

    def _surplus(self, found: Entry | None) -> None:
        if found is not None:
            self.unexpected.append(found.path)

    def _count(self, wanted: Entry) -> None:
        if wanted.kind is Kind.FILE:
            self.files += 1
            self.size += wanted.size


def _looks_alike(found: Entry, wanted: Entry, *, deep: bool) -> bool:
    if found.kind is not wanted.kind:
        return False
    if wanted.kind is Kind.LINK:
        return same_content(found, wanted)
    if found.size != wanted.size or found.mode != wanted.mode:
        return False
    return deep or wanted.kind is Kind.DIR or same_mtime(found.mtime_ns, wanted.mtime_ns)
