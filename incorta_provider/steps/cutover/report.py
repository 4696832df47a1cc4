"""The report of a cutover: what was lost, how long each step took, what was compared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incorta_provider.dr.approval import Approval
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.steps.cutover.run import CutoverRun

Report = dict[str, Any]


def make_report(run: CutoverRun, plan: Plan, approval: Approval) -> Report:
    """Put the report together from the frozen plan, the approval and the recorded results.

    A cutover with a final sync behind the last write lost nothing. Of another one the loss counts to the end of the
    fence: until then the source may have gone on. A source that was never fenced may go on still, so whether the
    objective was met is not known.
    """
    results = {step.name: run.folder.result(step.name) or {} for step in plan.steps}
    fence, restored, compared = (results[name] for name in (StepName.FENCE, StepName.RESTORE, StepName.COMPARE))
    verified_at = datetime.fromisoformat(results[StepName.VERIFY]["finished_at"])
    objectives = run.access.config.objectives
    fenced_at = datetime.fromisoformat(fence["finished_at"])
    rpo = 0.0 if plan.mode.loses_nothing else (fenced_at - plan.point_opened_at).total_seconds()
    rto = (verified_at - approval.approved_at).total_seconds()
    return {
        "group": plan.group,
        "run_id": plan.run_id,
        "mode": plan.mode,
        "source": plan.source,
        "target": plan.target,
        "recovery_point": run.folder.point_id(),
        "plan_sha256": plan.sha256,
        "requested_by": plan.requested_by,
        "reason": plan.reason,
        "requested_at": plan.created_at.isoformat(),
        "approved_by": approval.approved_by,
        "approved_at": approval.approved_at.isoformat(),
        "fenced_at": fenced_at.isoformat(),
        "verified_at": verified_at.isoformat(),
        "rpo_seconds": round(rpo, 3),
        "rpo_met": None if fence["unfenced"] else rpo <= objectives.rpo_seconds,
        "rto_seconds": round(rto, 3),
        "rto_met": rto <= objectives.rto_seconds,
        "steps": _timeline(plan, approval.approved_at, results),
        "storage": {name: compared.get(name) for name in ("equal", "files", "bytes")},
        "metadata": {name: restored.get(name) for name in ("equal", "tables", "rows")},
        "unfenced": fence["unfenced"],
        "fence": {name: fence.get(name) for name in ("epoch", "stopped", "not_reached")},
        "service": {name: results[StepName.VERIFY].get(name) for name in ("ready", "schemas")},
    }


def _timeline(plan: Plan, approved_at: datetime, results: dict[StepName, dict[str, Any]]) -> list[Report]:
    """Return the steps with their own seconds, and the seconds from approval to their end."""
    return [
        {
            "name": step.name,
            "site": step.site,
            "seconds": results[step.name]["seconds"],
            "done_after_seconds": round(
                (datetime.fromisoformat(results[step.name]["finished_at"]) - approved_at).total_seconds(), 3
            ),
        }
        for step in plan.steps
        if results[step.name]
    ]
