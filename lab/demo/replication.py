"""Waits for recovery points, and shows each one that is sealed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.storage.catalog import Catalog
from lab.airflow.client import AirflowClient
from lab.demo.failure import explain
from lab.demo.progress import Progress, wait_for
from lab.layout import DR, GROUP, Lab

DAG_ID = f"incorta_replication__{GROUP}__{DR}"
RUN_SECONDS = 600
MAX_FAILED = 3
"""So many failed runs before the first sealed point, and the demo gives up."""


def wait_for_points(
    count: int, lab: Lab, airflow: AirflowClient, progress: Progress, *, known: Iterable[RecoveryPoint] = ()
) -> list[RecoveryPoint]:
    """Return the recovery points, once there are ``count``.

    :param known: those that were shown before.
    """
    catalog, shown = Catalog(lab.site(DR).catalog), {point.id for point in known}

    def look() -> list[RecoveryPoint] | None:
        points = catalog.points()
        for point in points:
            if point.id not in shown:
                shown.add(point.id)
                progress(point.summary())
        if not points:
            _give_up_if_failing(airflow)
        return points if len(points) >= count else None

    return wait_for(f"{count} recovery points", look, seconds=count * RUN_SECONDS, every=1)


def _give_up_if_failing(airflow: AirflowClient) -> None:
    failed: list[str] = []
    with suppress(TransientError):  # an API server that is busy is asked again
        failed = [run for run, state in airflow.runs(DAG_ID).items() if state == "failed"]
    if len(failed) >= MAX_FAILED:
        raise PreconditionError(
            f"{len(failed)} replication runs failed and none sealed a point. {explain(airflow, DAG_ID, failed[0])}",
            where=DAG_ID,
            fix="See the task's log in the UI.",
        )
