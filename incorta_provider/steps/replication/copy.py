"""Copy files into the run's staging area: first while the source keeps writing, then once more behind the dump.

:raises PreconditionError: the source is absent, empty, not mounted or not marked (the change breaker trips), the target
    lacks room, or the final copy stands before the dump; nothing was deleted.
:raises IntegrityError: a file cannot be read, or keeps changing under the final copy.
"""

from __future__ import annotations

import logging

from incorta_provider.dr.manifest import shown
from incorta_provider.steps.replication.guard import source_watched
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.transfer import CopyReport, copy_delta

log = logging.getLogger(__name__)

MAX_PASSES = 4
"""A pre-copy that keeps finding more is a source that writes faster than we copy; the final copy takes what is left."""


def pre_copy(run: ReplicationRun) -> CopyReport:
    """Copy what is new, and again while each pass finds less than the one before."""
    with run.step("pre_copy"):
        report = _copy(run, final=False)
        for _ in range(MAX_PASSES - 1):
            before = report.copied_bytes
            if not before:
                break
            report = _copy(run, final=False)
            if report.copied_bytes >= before:
                break
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


def _copy(run: ReplicationRun, *, final: bool) -> CopyReport:
    tree = run.source.tree(run.access.config.replication.exclude)
    with source_watched(run, tree):
        tree.check()
        report = copy_delta(tree, run.target.target, run.base_manifest(), run.workspace, final=final)
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
    return report
