"""The cutover as two people do it: one triggers it, the other approves, and both watch."""

from __future__ import annotations

from incorta_provider.dr.plan import Mode
from incorta_provider.dr.request import confirmation_phrase
from lab.airflow.client import AirflowClient
from lab.demo.progress import Progress
from lab.demo.watching import Watch
from lab.layout import DR, GROUP

DAG_ID = f"incorta_dr_cutover__{GROUP}"
REASON = "The primary site does not answer."


def cut_over(requester: AirflowClient, approver: AirflowClient, progress: Progress) -> str:
    """Trigger, approve, wait for the end, and return the run's id.

    :raises PreconditionError: the run failed, or did not end in time; with the failed task and the end of its log.
    """
    conf = {
        "target_site": DR,
        "mode": Mode.UNPLANNED.value,
        "confirmation": confirmation_phrase(DR),
        "reason": REASON,
        "accept_unfenced": True,
    }
    run_id = requester.trigger(DAG_ID, conf, note=REASON)
    progress(f"{requester.user} triggered {run_id}")
    Watch(DAG_ID, run_id, approver, progress).until_the_end()
    return run_id
