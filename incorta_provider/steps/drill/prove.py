"""Verify the drill's service, and mark the point as proven.

:raises TransientError: a part is not ready (yet).
:raises ConfigurationError: a login is refused.
"""

from __future__ import annotations

from incorta_provider.dr.plan import StepName
from incorta_provider.steps.cutover.run import Result
from incorta_provider.steps.cutover.verify import verify_service
from incorta_provider.steps.drill.report import rto_seconds
from incorta_provider.steps.drill.run import DrillRun
from incorta_provider.storage.records.drill_record import Proof, Proofs


def prove_point(run: DrillRun) -> Result:
    """Check every part, log in, and write down that this point was started and asked."""
    result = verify_service(run)
    seconds = rto_seconds(run.folder.result(StepName.PREPARE_DRILL), result)
    if seconds is not None:
        proof = Proof(point=run.folder.point_id(), run_id=run.run_id, at=run.access.clock(), rto_seconds=seconds)
        Proofs(run.site.catalog).save(proof)
    return result
