"""Compare the live replica with the recovery point: every file, every digest, before anything starts."""

from __future__ import annotations

from incorta_provider.dr.manifest import shown
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import IntegrityError
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.storage.verify import verify_tree

SHOWN = 20


def compare(run: CutoverRun) -> Result:
    """Prove that the files are the point's.

    :raises IntegrityError: names the first files that are not.
    """

    def action(plan: Plan) -> Result:
        manifest = run.target.catalog.manifest_path(plan.recovery_point)
        exclude = run.access.config.replication.exclude
        report = verify_tree(run.target.storage_root, manifest, deep=True, exclude=exclude)
        if not report.equal:
            faults = [
                f"{what}: {shown(path)}"
                for what in ("missing", "different", "unexpected")
                for path in getattr(report, what)
            ]
            raise IntegrityError(
                f"the replica differs from the recovery point in {len(faults)} file(s):\n  "
                + "\n  ".join(faults[:SHOWN]),
                where=str(run.target.storage_root),
                fix="Do not start services. Remove what does not belong there, or choose another recovery point.",
            )
        return {"files": report.files, "bytes": report.bytes, "equal": True}

    return run.perform(StepName.COMPARE, action)
