"""A bucket as a source.

:class:`S3Tree` has one file for each key and no folders: what a bucket really is. So a copy to another bucket carries
every key as it is, also those of zero bytes that end in ``/``, and those that no file system could hold.
:class:`~incorta_provider.storage.s3.foldered.FolderedTree` shows the same keys as a tree of folders, for targets that
are file systems.

The time of a file is that of its object, see :func:`incorta_provider.storage.s3.facts.mtime_ns`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

from incorta_provider.dr.manifest import FILE_CODE, Entry, from_row
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.s3.answers import ensure_document
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.download import download
from incorta_provider.storage.s3.facts import FILE_MODE, modified_ms, mtime_ns
from incorta_provider.storage.s3.listing import pages, prefixes
from incorta_provider.storage.tree import Missed, Parallel, RangedTree, Rows

_LEVELS = 3


class S3Tree:
    """The keys below a prefix; can be pickled."""

    parallel: Parallel = "threads"
    without_folders: Literal[True] = True

    def __init__(self, bucket: Bucket, exclude: Sequence[str] = ()) -> None:
        self.bucket = bucket
        self._patterns = tuple(exclude)
        self._exclude = Exclude(exclude)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle what makes it."""
        return type(self), (self.bucket, self._patterns)

    @property
    def label(self) -> str:
        """Its address, for messages."""
        return self.bucket.label

    def check(self) -> None:
        """Refuse a bucket that cannot be listed, or a prefix that has no objects."""
        query: dict[str, str | bytes] = {"list-type": "2", "max-keys": "1", "prefix": self.bucket.place.prefix}
        answer = self.bucket.send(Request("GET", query=query, action="s3:ListBucket"))
        ensure_document(self.bucket, answer, "ListBucketResult")
        if b"<Contents>" not in answer.body:
            raise PreconditionError(
                "there is no object at the source",
                where=self.label,
                fix="Correct the prefix, or wait for the first object.",
            )

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield an entry for each key, in path order."""
        return map(from_row, self.rows(begin, end))

    def holds(self, path: bytes) -> bool:
        """Tell whether there is an object at a path, without a listing."""
        return not self.bucket.send(Request("HEAD", self.bucket.place.key(path), of_object=True)).code

    def rows(self, begin: bytes = b"", end: bytes | None = None) -> Rows:
        """Yield what ``list`` does, as rows."""
        place = self.bucket.place
        skipped, hidden = len(place.prefix), place.hidden
        first = place.prefix + begin if begin else b""
        left_out = _Exclusion(self._exclude) if self._exclude else None
        for page in pages(self.bucket, _before(first), place.prefix + end if end is not None else None):
            for key, size, modified, etag in page:
                path = key[skipped:]
                if path != hidden and path >= begin and not (left_out is not None and left_out(path)):
                    yield path, FILE_CODE, size, mtime_ns(modified_ms(modified), etag), FILE_MODE, None, None

    def pinned(self) -> RangedTree:
        """Return the tree: a bucket is there or each request says that it is not."""
        return self

    def cuts(self, wanted: int) -> Sequence[bytes]:
        """Return folders that cut the keys into about ``wanted`` parts, as far as their names tell."""
        place = self.bucket.place
        found = [place.prefix]
        for _ in range(_LEVELS):
            below = [folder for parent in found[: 4 * wanted] for folder in prefixes(self.bucket, parent)]
            if not below:
                break
            found = below
            if len(found) >= wanted:
                break
        folders = sorted(folder[len(place.prefix) :] for folder in found if folder != place.prefix)
        step = max(1, len(folders) // wanted)
        return folders[step - 1 :: step][: max(0, wanted - 1)]

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one object to a file, with its digest; a newer one that took its place is copied as what it is."""
        return download(self.bucket, entry, into)


class _Exclusion:
    """Whether a key is left out, by itself or with a folder above it."""

    def __init__(self, exclude: Exclude) -> None:
        self._exclude = exclude
        self._folder = lru_cache(maxsize=10_000)(self._is_folder_left_out)

    def __call__(self, path: bytes) -> bool:
        return self._exclude.matches(path, is_folder=False) or self._folder(path[: path.rfind(b"/") + 1])

    def _is_folder_left_out(self, folder: bytes) -> bool:
        if not folder:
            return False
        name = folder[:-1]
        return self._exclude.matches(name, is_folder=True) or self._folder(name[: name.rfind(b"/") + 1])


def _before(key: bytes) -> bytes:
    """Return a key right before another one, or near it: a listing starts after a key, and this one must be in it."""
    text = key.decode(errors="ignore")
    return (text[:-1] + chr(ord(text[-1]) - 1)).encode(errors="ignore") if text and text[-1] > "\x01" else b""
