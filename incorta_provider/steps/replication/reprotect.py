"""Reprotect: make a site that was active one that can be replicated to, before its first run.

Such a site was never a replica, or is not one any more, because services wrote to it. It holds most of what the site
that took its place holds, and what it wrote after the last common recovery point, which exists nowhere else. So its
files are read where they are. What the common point names counts as copied; what it does not is moved to a divergence
bundle, with a dump of the metadata. Nothing is deleted, and nothing is done to a site where Incorta may still run.

A bucket keeps every version of each object, so nothing needs to be moved out of the way there, and nothing is adopted.

Each part can be done again: a run that dies in between is followed by one that goes on from what was read.

:raises FencingError: the site is not fully fenced; nothing was changed.
:raises PreconditionError: the storage should be a mount and is not mounted.
:raises IntegrityError: the storage holds what no recovery point can.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.point import ensure_digest
from incorta_provider.steps.replication.fenced import ensure_fenced
from incorta_provider.steps.replication.guard import mount_fault
from incorta_provider.steps.replication.kept_metadata import keep_metadata
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.adoption import Adopted, Adoption, Split, read_all, split
from incorta_provider.storage.apply.actual import is_diverged, mark_diverged
from incorta_provider.storage.divergence import FOLDER, Bundle, Bundles
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.volume_target import VolumeTarget

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Common:
    """The newest state that two sites had in common: a recovery point, and the site whose catalog has it."""

    site: SiteAccess
    point: RecoveryPoint


def reprotect(run: ReplicationRun, source: SiteAccess, epoch: int) -> bool:
    """Adopt what the target holds, if it was active once; tell whether the run builds on that.

    The caller holds the group's lock at the target.

    :param source: the site that is active now, under ``epoch``.
    """
    adoption = Adoption(run.catalog)
    if not _was_active(run, epoch):
        adoption.forget()
        return False
    known = adoption.record()
    if known is None or known.epoch != epoch:
        adoption.forget()
        known = _looked_at(run, adoption, source, epoch)
    if known is not None and known.done_at is None:
        known = _adopted(run, adoption, source, known)
    return known is not None and isinstance(run.target.target, VolumeTarget)


def _was_active(run: ReplicationRun, epoch: int) -> bool:
    """Tell whether the target may hold work of its own: it is not a recovery point now, and has none of this epoch."""
    if run.catalog.live_point_id() is not None and not is_diverged(run.catalog):
        return False
    newest = run.catalog.newest()
    return newest is None or newest.epoch != epoch


def _common(run: ReplicationRun, source: SiteAccess) -> Common | None:
    """Return the newest state that both sites had; None for a target that nobody ever used."""
    found = [
        Common(site, site.catalog.get(point_id))
        for site in (source, run.target)
        if (point_id := site.catalog.live_point_id()) is not None
    ]
    return max(found, key=lambda each: each.point.opened_at, default=None)


def _holds_anything(run: ReplicationRun) -> bool:
    if fault := mount_fault(run.target):
        raise PreconditionError(fault, where=f"site {run.target.name}", fix="Mount it, then retry.")
    try:
        run.target.target.live(run.access.config.replication.exclude).check()
    except PreconditionError:  # absent or empty
        return False
    return True


def _looked_at(run: ReplicationRun, adoption: Adoption, source: SiteAccess, epoch: int) -> Adopted | None:
    """Read everything that the target holds, and write down what is about to be done; None when it holds no file."""
    if not _holds_anything(run) or (common := _common(run, source)) is None:
        return None
    ensure_fenced(run.access, run.target)
    log.info("%s was active once: it is held against recovery point %s", run.target.name, common.point.id)
    target = run.target.target
    if isinstance(target, VolumeTarget) and not read_all(target, adoption.found, run.access.config.replication.exclude):
        return None
    bundle = Bundles(run.catalog).new_id(f"epoch-{epoch}")
    record = Adopted(epoch=epoch, point=common.point.id, point_of=common.site.name, bundle=bundle)
    adoption.save(record)
    return record


def _adopted(run: ReplicationRun, adoption: Adoption, source: SiteAccess, planned: Adopted) -> Adopted:
    """Set aside what does not belong to the common point, and return what was adopted."""
    ensure_fenced(run.access, run.target)
    site = run.access.site(planned.point_of)
    common = Common(site, site.catalog.get(planned.point))
    bundles = Bundles(run.catalog)
    folder = bundles.make(planned.bundle)
    metadata = keep_metadata(run, common.site.catalog, common.point, folder)
    target = run.target.target
    in_versions = not isinstance(target, VolumeTarget)
    counts = _set_aside(target, adoption, common, planned) if isinstance(target, VolumeTarget) else Split()
    bundle = Bundle(
        id=planned.bundle,
        group=run.access.name,
        site=run.target.name,
        active=source.name,
        epoch=planned.epoch,
        point=common.point.id,
        point_of=common.site.name,
        run_id=run.run_id,
        kept_at=run.access.clock(),
        added=counts.added,
        changed=counts.changed,
        deleted=counts.deleted,
        bytes=counts.kept_bytes,
        files_stay=in_versions,
        metadata=metadata,
    )
    _keep(run, bundles, bundle)
    done = planned.model_copy(update={"files": counts.same, "bytes": counts.same_bytes, "done_at": run.access.clock()})
    _note(run, done, counts)
    adoption.save(done)
    return done


def _set_aside(target: VolumeTarget, adoption: Adoption, common: Common, planned: Adopted) -> Split:
    """Divide what was found, and move what does not belong to the common point to the bundle."""
    manifest = common.site.catalog.manifest_path(common.point.id)
    ensure_digest(manifest, common.point.manifest_sha256)
    folder = Bundles(target.catalog).folder(planned.bundle)
    kept = folder / "files.parquet"
    counts = split(adoption.found, manifest, adoption.manifest, kept, folder / "deleted.parquet")
    with target.catalog.lock("apply"):
        mark_diverged(target.catalog)
        target.set_aside((entry.path for entry in read_manifest(kept)), f"{FOLDER}/{planned.bundle}")
    return counts


def _keep(run: ReplicationRun, bundles: Bundles, bundle: Bundle) -> None:
    """Let a bundle count; one of a site that wrote nothing of its own, as after a planned cutover, is not a bundle."""
    if bundle.is_empty:
        remove_tree(os.fsencode(bundles.folder(bundle.id)))
        return
    bundles.save(bundle)
    details = bundle.model_dump(mode="json", include={"id", "point", "added", "changed", "deleted", "bytes"})
    if bundle.metadata is not None:
        details["differing"] = dict(bundle.metadata.differing)
    run.note("divergence.kept", f"divergence:{bundle.id}", details)
    log.warning(
        "%s wrote on its own after %s: %d file(s) are kept aside in bundle %s",
        bundle.site,
        bundle.point,
        bundle.added + bundle.changed,
        bundle.id,
    )


def _note(run: ReplicationRun, done: Adopted, counts: Split) -> None:
    details = {
        "epoch": done.epoch,
        "point": done.point,
        "adopted_files": counts.same,
        "adopted_bytes": counts.same_bytes,
        "kept_aside": counts.kept,
        "deleted": counts.deleted,
    }
    run.note("site.reprotected", f"reprotected:{done.epoch}", details)
    log.info("%d file(s) need not travel (%d bytes)", counts.same, counts.same_bytes)
