"""The old primary comes back after the cutover: its servers have power again, and the watcher fences it."""

from __future__ import annotations

from incorta_provider.dr.plan import StepName
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from lab.airflow.client import AirflowClient
from lab.demo.progress import Progress, wait_for
from lab.layout import DR, GROUP, PRIMARY, Lab
from lab.up import up

DAG_ID = f"incorta_watch__{GROUP}"
FENCED_SECONDS = 180


def power_on(lab: Lab, run_id: str, requester: AirflowClient, progress: Progress) -> tuple[str, ...]:
    """Bring the primary's servers back and return what of it the watcher fenced.

    The watcher looks each minute; it is triggered here, to be looked at sooner.

    :param run_id: the cutover that took the role from the primary.
    :raises PreconditionError: it is not fenced in time.
    """
    up(lab, progress)
    requester.trigger(DAG_ID, {})
    folder = CutoverFolder(lab.site(DR).catalog, run_id)
    stopped = wait_for(f"the fence of {PRIMARY}", lambda: _fenced(folder), seconds=FENCED_SECONDS)
    progress(f"{PRIMARY} came back and is fenced: {', '.join(stopped)}")
    return stopped


def _fenced(folder: CutoverFolder) -> tuple[str, ...] | None:
    result = folder.result(StepName.FENCE) or {}
    return None if result.get("unfenced", True) else tuple(result["stopped"])
