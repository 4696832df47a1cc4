"""Hold what the metadata name against a manifest, both ways: in a run's workspace, or in a sealed point."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from incorta_provider.dr.references import Fault, Reference, account
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.point import ensure_digest
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.manifest.manifest_file import read_manifest


@dataclass(frozen=True)
class Counted:
    """What was found, with few lines of many.

    :ivar unmet: a line for each file that is named and is not there as it should be.
    """

    named: int
    unmet: list[str]
    orphans: int
    first_orphans: list[str]


@dataclass(frozen=True)
class Looked:
    """What was found in a point, with all lines."""

    point: str
    named: int
    unmet: list[str]
    orphans: list[str]


def count_faults(access: GroupAccess, references: Path, manifest: Path, *, shown: int) -> Counted:
    """Compare the two. There may be millions of orphans, so only some lines about them are kept."""
    unmet: list[str] = []
    first_orphans: list[str] = []
    orphans = 0
    for fault in _faults(access, references, manifest):
        if not fault.orphan:
            unmet.append(fault.text)
            continue
        orphans += 1
        if orphans <= shown:
            first_orphans.append(fault.text)
    return Counted(sum(1 for _ in read_references(references)), unmet, orphans, first_orphans)


def look_at_references(access: GroupAccess, site: SiteAccess, point_id: str | None) -> Looked:
    """Hold the references of a sealed point against its manifest.

    :raises PreconditionError: there is no such point, or it was made without reference queries.
    :raises IntegrityError: its manifest is not the one that was sealed.
    """
    point = site.catalog.get(point_id)
    references = site.catalog.point_dir(point.id) / "references.jsonl"
    manifest = site.catalog.manifest_path(point.id)
    if point.references is None or not references.exists():
        raise PreconditionError(
            f"recovery point {point.id} does not say which files its metadata name",
            where=f"catalog of {site.name}",
            fix="Write metadata.references into the topology; later points will.",
        )
    ensure_digest(manifest, point.manifest_sha256)
    faults = list(_faults(access, references, manifest))
    unmet, orphans = ([str(fault) for fault in faults if fault.orphan is orphan] for orphan in (False, True))
    return Looked(point.id, point.references, unmet, orphans)


def read_references(path: Path) -> Iterator[Reference]:
    """Yield the references that the dump step wrote, in their order."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            yield Reference(fields["path"].encode(errors="surrogateescape"), fields["size"], fields["sha256"])


def _faults(access: GroupAccess, references: Path, manifest: Path) -> Iterator[Fault]:
    accounted = Exclude(access.config.metadata.accounted)
    return account(read_references(references), read_manifest(manifest), partial(accounted.matches, is_folder=False))
