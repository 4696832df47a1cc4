"""The steps that make the live keys of a bucket a recovery point, all of them before the first one is done.

Looked at are the keys that the point and the one before it do not share, and each key that a run staged since. A key
whose newest version is the one that the manifest names needs nothing, which is what staging brings about. Another one
gets the named version copied over it; a key that the point does not have gets a delete marker. So no version is lost,
and the way back is as short.

Folders and links are entries of the manifest alone: a bucket has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path

from incorta_provider.dr.diff import diff, same_content
from incorta_provider.dr.manifest import Entry, Kind, shown
from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.manifest.cursor import Edit, layered
from incorta_provider.storage.manifest.manifest_file import differing, read_manifest, read_totals, select
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.census import LISTING_PAYS, Now, everything, look, look_at, version_of
from incorta_provider.storage.s3.download import digest
from incorta_provider.storage.tree import Missed

_SHOWN = 20
_AT_ONCE = 500


class S3Plan:
    """The way to one point.

    :param manifest: of the point.
    :param base: of what the live keys are; None when nobody knows.
    :param touched: paths that runs staged since.
    :param suspects: files that are read, whatever they look like.
    """

    def __init__(
        self,
        bucket: Bucket,
        manifest: Path,
        base: Path | None,
        touched: Collection[bytes] = (),
        suspects: Collection[bytes] = (),
    ) -> None:
        self._bucket = bucket
        self._manifest = manifest
        self._base = base
        self._touched = sorted(touched)
        self._suspects = frozenset(suspects)
        self._missing: list[bytes] = []

    def steps(self) -> Iterator[Step]:
        """Yield the steps in path order.

        :raises IntegrityError: at the end, when versions of the point are not there any more.
        :raises PreconditionError: another replica lies inside of this one.
        """
        for some in chunks(self._pairs(), _AT_ONCE):
            alive()
            for path, wanted, now in some:
                if (step := self._step(path, wanted, now)) is not None:
                    yield step
        if self._missing:
            raise self._incomplete()

    def _pairs(self) -> Iterator[tuple[bytes, Entry | None, Now | None]]:
        """Yield each path to be settled, with what it must be and what it is."""
        if self._base is None:
            yield from side_by_side(read_manifest(self._manifest), everything(self._bucket))
            return
        limit = read_totals(self._manifest).entries // LISTING_PAYS + 1
        few = list(islice(self._edits(self._base), limit))
        if len(few) < limit:
            found = look_at(self._bucket, [path for path, _ in few])
            yield from ((path, wanted, now) for (path, wanted), now in zip(few, found, strict=True))
            return
        for (path, wanted), now in _join(self._edits(self._base), everything(self._bucket)):
            yield path, wanted, now

    def _edits(self, base: Path) -> Iterator[Edit]:
        """Yield what differs from the base, and what was touched."""
        changed = ((change.new or change.old, change.new) for change in diff(*differing(base, self._manifest)))
        moved = ((entry.path, new) for entry, new in changed if entry is not None)
        return layered(_paths(self._touched), moved, _as_wanted(select(self._manifest, self._touched)))

    def _step(self, path: bytes, wanted: Entry | None, now: Now | None) -> Step | None:
        if wanted is None or wanted.kind is not Kind.FILE:
            return None if now is None else self._removal(path)
        if now is not None and self._holds(now, wanted):
            return None
        if (version := version_of(self._bucket, wanted)) is None:
            self._missing.append(path)
            return None
        return Step(Verb.PLACE, path, version, wanted.size, 0, now is None)

    def _removal(self, path: bytes) -> Step:
        """Return the step that takes a key away, unless the mark of another replica says that what follows is its."""
        place = self._bucket.place
        if self._base is None and place.is_mark_inside(place.key(path)):
            raise inside(self._bucket, path)
        return Step(Verb.REMOVE, path)

    def _holds(self, now: Now, wanted: Entry) -> bool:
        """Tell whether a live key holds the wanted content, be it in another version, as a copy of it is."""
        if wanted.path in self._suspects:
            read = digest(self._bucket, wanted)
            return not isinstance(read, Missed) and read.entry.sha256 == wanted.sha256
        if now.version == wanted.version:
            return True
        if now.size != wanted.size:
            return False
        found = now if now.sha256 is not None else look(self._bucket, wanted.path)
        return found is not None and found.size == wanted.size and found.sha256 == wanted.sha256

    def _incomplete(self) -> IntegrityError:
        names = "\n  ".join(shown(path) for path in self._missing[:_SHOWN])
        return IntegrityError(
            f"{len(self._missing)} version(s) of the recovery point are not in the bucket:\n  {names}",
            where=self._bucket.label,
            fix="Nothing was changed. Choose another recovery point; check whether a lifecycle rule removes versions.",
        )


def inside(bucket: Bucket, path: bytes) -> PreconditionError:
    """Return the error for the mark of another replica inside of this one."""
    return PreconditionError(
        f"another replica lies inside of this one, and its mark is {shown(path)}",
        where=bucket.label,
        fix="Nothing was deleted. Give one of them another prefix in its topology; if the one inside is given up for "
        "good, delete its mark.",
    )


def moved_files(base: Path | None, manifest: Path) -> tuple[int, int]:
    """Return how many files a point has that its base has not, or otherwise; and how many only the base has."""
    if base is None:
        return read_totals(manifest).files, 0
    moved, removed = 0, 0
    for change in diff(*differing(base, manifest)):
        old, new = (one if one is not None and one.kind is Kind.FILE else None for one in (change.old, change.new))
        moved += new is not None and (old is None or not same_content(old, new))
        removed += new is None and old is not None
    return moved, removed


def _paths(touched: Iterable[bytes]) -> Iterator[Edit]:
    return ((path, None) for path in touched)


def _as_wanted(entries: Iterable[Entry]) -> Iterator[Edit]:
    return ((entry.path, entry) for entry in entries)


def side_by_side(
    wanted: Iterator[Entry], live: Iterator[tuple[bytes, Now]]
) -> Iterator[tuple[bytes, Entry | None, Now | None]]:
    """Yield each path of two streams in path order, with what each of them has of it."""
    entry, found = next(wanted, None), next(live, None)
    while entry is not None or found is not None:
        if found is None or (entry is not None and entry.path < found[0]):
            assert entry is not None  # noqa: S101 - for the type
            yield entry.path, entry, None
            entry = next(wanted, None)
        elif entry is None or found[0] < entry.path:
            yield found[0], None, found[1]
            found = next(live, None)
        else:
            yield entry.path, entry, found[1]
            entry, found = next(wanted, None), next(live, None)


def _join(edits: Iterator[Edit], live: Iterator[tuple[bytes, Now]]) -> Iterator[tuple[Edit, Now | None]]:
    found = next(live, None)
    for edit in edits:
        while found is not None and found[0] < edit[0]:
            found = next(live, None)
        yield edit, found[1] if found is not None and found[0] == edit[0] else None
