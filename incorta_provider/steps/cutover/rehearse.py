"""Look, before anything is fenced, whether the live replica can become the recovery point.

What differs from the record and can be mended is told in the plan; the cutover mends it. A file whose bytes are nowhere
is told here, where the choice of another point costs nothing.

:raises IntegrityError: files of the point are nowhere.
:raises TransientError: an apply is under way; it will end.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from incorta_provider.dr.manifest import shown
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.storage.apply.actual import is_diverged
from incorta_provider.storage.verify import verify_replica

SHOWN = 3
"""How many paths of a kind the plan names."""


def rehearse(run: CutoverRun, point: RecoveryPoint) -> list[str]:
    """Prove that the point can be reached, and return in words how the replica differs from its record."""
    catalog, target = run.target.catalog, run.target.target
    live = catalog.live_point_id()
    with catalog.lock("apply"), tempfile.TemporaryDirectory(prefix="incorta_dr_") as folder:
        found = None
        if live is not None or is_diverged(catalog):
            found = Path(folder) / "found.parquet"
            target.find_out(found, point.id)
        target.rehearse(point.id, found)
        return [] if live is None else _drift(run, live)


def _drift(run: CutoverRun, live: str) -> list[str]:
    catalog = run.target.catalog
    if catalog.journal.exists():
        return ["an apply was cut off and will be finished"]
    if is_diverged(catalog):
        return [f"services ran on the replica since it was {live}; what they wrote goes to the history"]
    exclude = run.access.config.replication.exclude
    report = verify_replica(run.target.target, catalog.manifest_path(live), deep=False, exclude=exclude)
    kinds = {"missing": report.missing, "different": report.different, "unexpected": report.unexpected}
    return [
        f"{len(paths)} {what} since {live}, will be mended: {', '.join(map(shown, paths[:SHOWN]))}"
        for what, paths in kinds.items()
        if paths
    ]
