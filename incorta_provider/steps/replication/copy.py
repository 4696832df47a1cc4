"""Copy files into the run's staging area: first while the source keeps writing, then once more after the dump.

A pre-copy of more than the topology's shard size is left to tasks of their own, a shard each, on whichever worker; the
final copy takes what they copied, and copies what they did not.

:raises PreconditionError: the source is absent, empty, not mounted or not marked (the change breaker trips), the target
    lacks room, or the final copy stands before the dump; nothing was deleted.
:raises IntegrityError: a file cannot be read, or keeps changing under the final copy.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from socket import gethostname

from incorta_provider.dr.manifest import shown
from incorta_provider.steps.locking import keep
from incorta_provider.steps.replication.apply import ensure_still_active
from incorta_provider.steps.replication.guard import source_watched
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.copying import shards
from incorta_provider.storage.copying.shards import ShardReport
from incorta_provider.storage.copying.transfer import CopyReport, copy_delta
from incorta_provider.storage.flow.oversight import Controls
from incorta_provider.storage.flow.shards import ShardSize
from incorta_provider.storage.survey.full_look import passed_over

log = logging.getLogger(__name__)

MAX_PASSES = 4
"""A pre-copy that keeps finding more is a source that writes faster than we copy; the final copy takes what is left."""


def pre_copy(run: ReplicationRun, *, split: bool = False) -> CopyReport:
    """Copy what is new, and again while each pass finds less than the one before.

    :param split: leave a large copy to shards, which the caller has copied by :func:`copy_shard`.
    """
    config = run.access.config.replication
    size = ShardSize(config.shard_files, config.shard_bytes) if split else None
    with run.step("pre_copy"):
        report = _copy(run, final=False, split=size)
        for _ in range(MAX_PASSES - 1):
            before = report.copied_bytes
            if not before:
                break
            report = _copy(run, final=False, split=size)
            if report.copied_bytes >= before:
                break
        return report


def copy_shard(run: ReplicationRun, number: int) -> ShardReport:
    """Copy one shard of what the pre-copy left, beside the others.

    :raises FencingError: the roles of the sites changed since the run opened.
    :raises PreconditionError: nobody waits for this shard; or what a pass raises.
    :raises TransientError: another task copies it, or another run holds the group's lock.
    """
    with run.step(f"copy_shard {number}"):
        ensure_still_active(run, run.record())
        keep(run.access, run.target, run.lock_owner)
        tree = run.source.tree(run.access.config.replication.exclude)
        with source_watched(run, tree):
            report = shards.copy_shard(tree, run.target.target, run.workspace, number, _controls(run))
        run.note("shard.copied", f"shard:{number}", {"shard": number, "host": gethostname(), **asdict(report)})
        return report


def final_copy(run: ReplicationRun) -> CopyReport:
    """Copy what changed since, and write the manifest of the point to be.

    It comes after the dump, because Incorta adds files before the metadata point to them.
    """
    with run.step("final_copy"):
        run.ensure_dumped()
        report = _copy(run, final=True)
        run.save_vanished([f"{shown(path)}: vanished before it was copied" for path in report.vanished])
        return report


def _controls(run: ReplicationRun) -> Controls:
    config = run.access.config.replication
    return Controls(bandwidth=config.bandwidth, stall_seconds=config.stall_seconds)


def _passed_over(run: ReplicationRun) -> Sequence[str]:
    config = run.access.config.replication
    return passed_over(
        run.workspace,
        run.base_manifest(),
        config.immutable,
        every_seconds=config.full_look_seconds,
        now=run.access.clock(),
    )


def _copy(run: ReplicationRun, *, final: bool, split: ShardSize | None = None) -> CopyReport:
    tree = run.source.tree(run.access.config.replication.exclude)
    with source_watched(run, tree):
        report = copy_delta(
            tree,
            run.target.target,
            run.base_manifest(),
            run.workspace,
            final=final,
            controls=_controls(run),
            immutable=_passed_over(run),
            split=split,
        )
    log.info(
        "%s copy: %d listed, %d copied (%d bytes), %d reused, %d vanished, %.2f s",
        "final" if final else "pre",
        report.listed,
        report.copied_files,
        report.copied_bytes,
        report.reused,
        len(report.vanished),
        report.seconds,
    )
    if report.shards:
        log.info("the copy is left to %d shards", len(report.shards))
    return report
