"""Check what was copied, before anything is published.

First the change breaker: what the new point would lose and change is within limits, or a person let it through. Every
staged file is still as its copy proved it, or is read back and compared; every Parquet file is whole; and every file
that the metadata name is in the manifest. A file that could not be copied whole is left out, and is listed among the
point's exceptions. Where the topology has no queries for what the metadata name, nobody can tell whether it is needed,
and the run is void. Files that they ought to name and do not are counted and logged.

:raises PreconditionError: there is no dump whose references could be looked up, or the change breaker tripped.
:raises IntegrityError: names the first files at fault; the last sealed point stays good.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.steps.metadata_references import count_faults
from incorta_provider.steps.point import file_sha256
from incorta_provider.steps.replication.guard import ensure_within_limits
from incorta_provider.steps.replication.run import CheckReport, ReplicationRun
from incorta_provider.storage.copying.checks import drop_from_manifest, verify_staged
from incorta_provider.storage.copying.early_flush import FLUSH_SECONDS

log = logging.getLogger(__name__)

SHOWN = 20


def check(run: ReplicationRun) -> CheckReport:
    """Check the staged files and the manifest of the point to be."""
    with run.alone("check"):
        run.ensure_dumped()
        run.save_check(None)
        ensure_within_limits(run)
        workspace = run.workspace
        target = run.target.target
        staged = run.watched(
            "the check", target.label, lambda: verify_staged(target, workspace), at_least=FLUSH_SECONDS
        )
        _void_if([shown(path) for path in staged.damaged], "staged file(s) do not hold what was copied", run)
        drop_from_manifest(workspace, staged.framing_faults)
        exceptions = (
            *run.vanished(),
            *(f"{shown(path)}: was still being written, left out" for path in staged.framing_faults),
        )
        references, orphans = _check_references(run, exceptions)
        report = CheckReport(
            staged_files=staged.files,
            staged_bytes=staged.size,
            references=references,
            orphans=orphans,
            exceptions=exceptions,
            manifest_sha256=file_sha256(workspace.manifest),
            inventory_sha256=file_sha256(workspace.inventory),
        )
        run.save_check(report)
        return report


def _check_references(run: ReplicationRun, exceptions: Sequence[str]) -> tuple[int | None, int | None]:
    """Return how many files the metadata name, all of which are in the manifest, and how many they ought to and do not.

    None where nobody can tell.
    """
    if not run.access.config.metadata.references:
        _void_if(exceptions, "file(s) are not whole, and no metadata.references say whether they are needed", run)
        return None, None
    workspace = run.workspace
    counted = count_faults(run.access, workspace.references, workspace.manifest, shown=SHOWN)
    _void_if(counted.unmet, "file(s) that the metadata name are not in the copy as they should be", run)
    if counted.orphans:
        log.warning(
            "%d file(s) that the metadata do not name:\n  %s", counted.orphans, "\n  ".join(counted.first_orphans)
        )
    return counted.named, counted.orphans


def _void_if(faults: Sequence[str], what: str, run: ReplicationRun) -> None:
    if faults:
        raise IntegrityError(
            f"{len(faults)} {what}:\n  " + "\n  ".join(faults[:SHOWN]),
            where=f"workspace of run {run.run_id} at {run.target.name}",
            fix="Nothing was published and the last sealed point stays good; the next run starts over.",
        )
