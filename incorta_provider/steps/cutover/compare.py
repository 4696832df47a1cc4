"""Compare the live replica with the recovery point: every file, every digest, before anything starts.

The source is fenced by now, so a difference that can be mended is mended: what does not belong there goes to the
history, what is missing or different is placed anew from the catalog. Then everything is compared again. In a drill
nothing is mended: it is to find out what a cutover would meet.
"""

from __future__ import annotations

import logging

from incorta_provider.dr.manifest import shown
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import IntegrityError
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.storage.verify import VerifyReport, verify_replica

log = logging.getLogger(__name__)

SHOWN = 20


def compare(run: CutoverRun) -> Result:
    """Prove that the files are the point's, after repairing those that are not.

    :raises IntegrityError: the bytes of a file are nowhere, or files differ after the repair; names the first ones.
    :raises TransientError: another apply is under way.
    """

    def action(plan: Plan) -> Result:
        report, repaired = _verify(run), []
        if not report.equal and plan.mode.is_cutover:
            repaired = faults(report)
            log.warning("repairing the replica, which differs in %d place(s):\n  %s", len(repaired), _first(repaired))
            _repair(run, report)
            report = _verify(run)
        if not report.equal:
            raise _still_different(run, faults(report))
        return {"files": report.files, "bytes": report.bytes, "equal": True, "repaired": repaired[:SHOWN]}

    return run.perform(StepName.COMPARE, action)


def faults(report: VerifyReport) -> list[str]:
    """Return each difference as a line."""
    return [
        f"{what}: {shown(path)}" for what in ("missing", "different", "unexpected") for path in getattr(report, what)
    ]


def _verify(run: CutoverRun) -> VerifyReport:
    manifest = run.target.catalog.manifest_path(run.folder.point_id())
    return verify_replica(run.target.target, manifest, deep=True, exclude=run.access.config.replication.exclude)


def _repair(run: CutoverRun, report: VerifyReport) -> None:
    with run.target.catalog.lock("apply"):
        run.target.target.apply(run.folder.point_id(), suspects=report.different)


def _still_different(run: CutoverRun, left: list[str]) -> IntegrityError:
    return IntegrityError(
        f"the replica differs from the recovery point in {len(left)} file(s):\n  {_first(left)}",
        where=run.target.target.label,
        fix="It was repaired and changed again: find out what writes there, stop it, and clear this task.",
    )


def _first(lines: list[str]) -> str:
    return "\n  ".join(lines[:SHOWN])
