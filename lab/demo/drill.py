"""The drill: the newest recovery point is started beside the replica and taken away, while replication goes on."""

from __future__ import annotations

from incorta_provider.dr.report import Report
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from incorta_provider.storage.records.drill_record import Proofs
from lab.airflow.client import AirflowClient
from lab.demo.progress import Progress
from lab.demo.watching import Watch
from lab.layout import DR, GROUP, Lab

DAG_ID = f"incorta_dr_drill__{GROUP}"
REASON = "Before it is needed."


def try_out(lab: Lab, requester: AirflowClient, progress: Progress) -> Report:
    """Trigger a drill, wait until it is taken away again, and return its report.

    :raises PreconditionError: it failed, or its point is not marked as proven.
    """
    run_id = requester.trigger(DAG_ID, {"site": DR, "reason": REASON}, note=REASON)
    progress(f"{requester.user} triggered {run_id}")
    Watch(DAG_ID, run_id, requester, progress).until_the_end()
    catalog = lab.site(DR).catalog
    report = Report.model_validate(CutoverFolder(catalog, run_id).report())
    proof = Proofs(Catalog(catalog)).of(report.recovery_point)
    if proof is None or report.forecast is None:
        raise PreconditionError(
            f"the drill proved nothing: {'; '.join(report.exceptions)}", where=run_id, fix="See the log of its tasks."
        )
    progress(f"{proof.point} is proven, by a service that answered {proof.rto_seconds:g} s after its files were there")
    progress(f"forecast of a cutover: {report.forecast.in_words}")
    return report
