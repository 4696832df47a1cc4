"""The report of a drill: whether the point was proven, how long it took by step, what was compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from incorta_provider.dr.forecast import Forecast, airflow_seconds
from incorta_provider.dr.ledger import LedgerEntry
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.report import newest_cutovers, usual_seconds
from incorta_provider.steps.drill.run import DrillRun
from incorta_provider.storage.records.reports import kept_reports

Report = dict[str, Any]
Results = Mapping[StepName, Mapping[str, Any]]


def rto_seconds(prepared: Mapping[str, Any] | None, verified: Mapping[str, Any] | None) -> float | None:
    """Return the seconds from files in place to the verified service; None when it did not come so far.

    A replica is in place at a cutover, so bringing a copy of it is not part of what a cutover takes.
    """
    if not prepared or not verified:
        return None
    return round((_end(verified) - _end(prepared)).total_seconds(), 3)


def make_report(run: DrillRun, lines: Sequence[LedgerEntry]) -> Report:
    """Put the report together from the frozen plan and the recorded results, of a drill that failed as well.

    :param lines: what the drill wrote to the ledger.
    """
    plan = run.folder.plan()
    results = {step.name: run.folder.result(step.name) or {} for step in plan.steps}
    rto = rto_seconds(results[StepName.PREPARE_DRILL], results[StepName.VERIFY])
    forecast = _forecast(run, results, lines)
    not_done = [str(step.name) for step in plan.steps if not results[step.name]]
    objective = run.access.config.objectives.rto_seconds
    restored, compared, verified = (results[name] for name in (StepName.RESTORE, StepName.COMPARE, StepName.VERIFY))
    return {
        "group": plan.group,
        "run_id": plan.run_id,
        "mode": plan.mode,
        "source": plan.source,
        "target": plan.target,
        "recovery_point": plan.recovery_point,
        "plan_sha256": plan.sha256,
        "requested_by": plan.requested_by,
        "reason": plan.reason,
        "requested_at": plan.created_at.isoformat(),
        "outcome": "failed" if rto is None else "proven",
        "not_done": not_done,
        "exceptions": list(_exceptions(not_done, forecast, objective)),
        "verified_at": verified.get("finished_at"),
        "rto_seconds": rto,
        "rto_objective_seconds": objective,
        "rto_met": None if forecast is None else forecast.seconds <= objective,
        "forecast": None if forecast is None else forecast.model_dump(),
        "steps": _timeline(plan, results),
        "storage": {name: compared.get(name) for name in ("equal", "files", "bytes")},
        "metadata": {name: restored.get(name) for name in ("equal", "tables", "rows")},
        "service": {name: verified.get(name) for name in ("ready", "schemas")},
        "cleaned": results[StepName.CLEAN_DRILL].get("removed"),
    }


def _forecast(run: DrillRun, results: Results, lines: Sequence[LedgerEntry]) -> Forecast | None:
    """Return the RTO to expect of a cutover; None of a drill that did not come to a verified service."""
    prepared = results[StepName.PREPARE_DRILL]
    cutovers = newest_cutovers(kept_reports(run.site.catalog.root), before=run.folder.plan().requested_at)
    parts = {
        "airflow_seconds": airflow_seconds(lines),
        "fence_seconds": usual_seconds(StepName.FENCE, cutovers),
        "stop_seconds": prepared.get("stop_seconds"),
        "steps_seconds": rto_seconds(prepared, results[StepName.VERIFY]),
    }
    return Forecast.known(parts)


def _exceptions(not_done: list[str], forecast: Forecast | None, objective: float) -> Iterator[str]:
    if not_done:
        yield f"not done: {', '.join(not_done)}"
    if forecast is not None and forecast.seconds > objective:
        yield f"a cutover is forecast to take longer than the objective of {objective:g} s: {forecast.in_words}"


def _timeline(plan: Plan, results: Results) -> list[Report]:
    """Return the steps with their own seconds, and the seconds from files in place to their end."""
    prepared = results[StepName.PREPARE_DRILL]
    return [
        {
            "name": step.name,
            "site": step.site,
            "seconds": results[step.name]["seconds"],
            "done_after_seconds": round((_end(results[step.name]) - _end(prepared)).total_seconds(), 3),
        }
        for step in plan.steps
        if results[step.name] and prepared
    ]


def _end(result: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(result["finished_at"])
