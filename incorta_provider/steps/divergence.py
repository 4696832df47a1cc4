"""Say what divergence bundles a site keeps, and what is in one; for people to read.

:raises PreconditionError: the catalog is not there, or has no such bundle.
:raises IntegrityError: a record or a manifest is damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from incorta_provider.dr.manifest import shown
from incorta_provider.steps.access import SiteAccess
from incorta_provider.storage.divergence import DIFFERENCES, Bundle, Bundles
from incorta_provider.storage.manifest.manifest_file import read_manifest


def bundle_summaries(site: SiteAccess) -> Iterator[str]:
    """Yield a line for each bundle, the oldest first."""
    bundles = Bundles(site.catalog)
    found, unfinished = bundles.all(), bundles.unfinished()
    for bundle in found:
        yield summary(bundle)
    for name in unfinished:
        yield f"{name}: not complete; the next replication run to {site.name} goes on with it"
    if not found and not unfinished:
        yield f"{site.name} keeps no divergence bundle"


def summary(bundle: Bundle) -> str:
    """Return a bundle in one line."""
    parts = [_files(bundle), _metadata(bundle)]
    return (
        f"{bundle.id}: what {bundle.site} wrote after {bundle.point} apart from {bundle.active}, "
        f"kept {bundle.kept_at:%Y-%m-%d %H:%M:%S} UTC: {'; '.join(parts)}"
    )


def bundle_lines(site: SiteAccess, bundle_id: str) -> Iterator[str]:
    """Yield a bundle's summary, its files, and in what the metadata differ."""
    bundles = Bundles(site.catalog)
    bundle, folder = bundles.get(bundle_id), bundles.folder(bundle_id)
    yield summary(bundle)
    yield f"folder: {folder}"
    if not bundle.files_stay:
        yield from _listed(folder / "files.parquet", "kept")
        yield from _listed(folder / "deleted.parquet", "deleted")
    if (differences := folder / DIFFERENCES).exists():
        yield "metadata against the recovery point:"
        yield from (f"  {line}" for line in differences.read_text(encoding="utf-8").splitlines())


def _listed(manifest: Path, word: str) -> Iterator[str]:
    for entry in read_manifest(manifest):
        yield f"{word} {shown(entry.path)} ({entry.size} bytes)"


def _files(bundle: Bundle) -> str:
    if bundle.files_stay:
        return "its files are in the versions of the bucket"
    return (
        f"{bundle.added} file(s) of its own, {bundle.changed} in another version ({bundle.bytes} bytes), "
        f"{bundle.deleted} deleted"
    )


def _metadata(bundle: Bundle) -> str:
    kept = bundle.metadata
    if kept is None:
        return "no metadata"
    if kept.not_compared:
        return f"metadata of {kept.tables} table(s), not compared"
    if not kept.differing:
        return f"metadata of {kept.tables} table(s), as at the point"
    objects = ", ".join(f"{name} ({count})" for name, count in sorted(kept.differing.items()))
    return f"metadata of {kept.tables} table(s), different in {objects}"
