"""What a site that was active has of a recovery point, told by reading its files where they lie.

An old primary holds nearly all files of the point that another site was promoted from. So it is read once, beside its
own disks, and what has the content that the point names counts as copied: only the difference travels. The rest was
written after that point, or instead of it, and goes to a bundle (:mod:`incorta_provider.storage.divergence`).

The files lie in the catalog under ``adoption/`` until the site has a recovery point of its own again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime

from incorta_provider.dr.diff import align, same_content
from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.work_pool import in_order
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_manifest
from incorta_provider.storage.records.json_file import read_model, write_json
from incorta_provider.storage.target import Target


class Adopted(FrozenModel):
    """What was adopted, and for which change of roles.

    :ivar epoch: under which the site is replicated to.
    :ivar point: the recovery point that its files are held against, in the catalog of the site ``point_of``.
    :ivar bundle: the name of what did not belong to it.
    :ivar done_at: None while the bundle is not complete.
    """

    epoch: int
    point: str
    point_of: str
    bundle: str
    files: int = 0
    bytes: int = 0
    done_at: AwareDatetime | None = None


@dataclass(slots=True)
class Split:
    """How what a site holds relates to a recovery point; counts are of files and links.

    :param same: hold what the point names, ``same_bytes`` in all.
    :param added: are at the site only, ``changed``: are there in another version, ``kept_bytes`` in all.
    :param deleted: are named by the point and not at the site.
    """

    same: int = 0
    same_bytes: int = 0
    added: int = 0
    changed: int = 0
    kept_bytes: int = 0
    deleted: int = 0

    @property
    def kept(self) -> int:
        """How many do not belong to the point."""
        return self.added + self.changed


class Adoption:
    """The folder ``adoption/`` of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._root = catalog.root / "adoption"

    @property
    def found(self) -> Path:
        """The manifest of all that the site held, with digests."""
        return self._root / "found.parquet"

    @property
    def manifest(self) -> Path:
        """The manifest of what the site has of the point."""
        return self._root / "manifest.parquet"

    def record(self) -> Adopted | None:
        """Return what is adopted or about to be; None before the site was looked at."""
        return read_model(self._record, Adopted)

    def save(self, record: Adopted) -> None:
        """Write down what is adopted."""
        write_json(self._record, record.model_dump(mode="json"))

    def forget(self) -> None:
        """Remove all: the site has a recovery point of its own, or the roles changed."""
        self._record.unlink(missing_ok=True)
        remove_tree(os.fsencode(self._root))

    @property
    def _record(self) -> Path:
        return self._root / "adoption.json"


def read_all(target: Target, into: Path, exclude: Sequence[str]) -> int:
    """Write a manifest of all that the live replica holds, with the digest of each file, and return how many files.

    :raises IntegrityError: it holds what no recovery point can: a special file, or a link out of it.
    """
    reader, files = target.live_reader(), 0
    with ManifestWriter(into) as writer:
        for batch, readings in in_order(reader, target.live(exclude).list(), reader.limits):
            for entry, reading in zip(batch, readings, strict=True):
                if entry.kind is not Kind.FILE:
                    writer.add(entry)
                elif reading.sha256 is not None:
                    writer.add(entry._replace(size=reading.size, sha256=reading.sha256))
                    files += 1
    return files


def split(found: Path, point: Path, adopted: Path, kept: Path, deleted: Path) -> Split:
    """Divide what a site holds: what has the content that a point names, and what has not.

    :param point: the manifest of the point. What is the same is written as the point names it, times and all, because
        the active site shows these.
    :param adopted: the manifest to write of what is the same.
    :param kept: of what is not, ``deleted``: of what the point names and the site lacks.
    """
    counts = Split()
    with ManifestWriter(adopted) as same, ManifestWriter(kept) as other, ManifestWriter(deleted) as gone:
        for here, there in align(read_manifest(found), read_manifest(point)):
            if here is None:
                if there is not None and there.kind is not Kind.DIR:
                    gone.add(there)
                    counts.deleted += 1
            elif there is not None and same_content(here, there):
                if there.kind is Kind.FILE:
                    same.add(there)
                    counts.same += 1
                    counts.same_bytes += there.size
            elif here.kind is not Kind.DIR:
                other.add(here)
                _count_kept(counts, here, there)
    return counts


def _count_kept(counts: Split, here: Entry, there: Entry | None) -> None:
    if there is None:
        counts.added += 1
    else:
        counts.changed += 1
    counts.kept_bytes += here.size
