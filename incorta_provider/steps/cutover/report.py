"""The report of a cutover: what was lost, how long each step took, what was compared, and what to know of it.

It can be made at any time: before the end it says what is known by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from incorta_provider.dr.approval import Approval
from incorta_provider.dr.ledger import LedgerEntry
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.report import (
    FailedTry,
    Fence,
    Files,
    Metadata,
    PastRun,
    Report,
    Service,
    StepTime,
    expected_rto,
    fence_exceptions,
    newest_runs,
    node_exceptions,
    repair_exceptions,
    step_time,
    told_exceptions,
)
from incorta_provider.exceptions import DrError
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.report_page import report_page
from incorta_provider.storage.records.reports import kept_reports

PROMOTED, GIVEN_UP, UNDER_WAY = "promoted", "given up", "under way"

Results = dict[StepName, dict[str, Any]]


Lines = tuple[list[LedgerEntry], list[str]]
"""What a run wrote to the ledger, and what keeps it from being read."""


def make_report(
    run: CutoverRun, plan: Plan, approval: Approval | None, outcome: str = PROMOTED, *, lines: Lines | None = None
) -> Report:
    """Put the report together from the frozen plan, the approval and the recorded results.

    A cutover with a final sync behind the last write lost nothing. Of another one the loss counts to the end of the
    fence: until then the source may have gone on. A source that was never fenced may go on still, so whether the
    objective was met is not known.

    :param approval: the one that the fence used; None before the fence.
    :param lines: of the ledger, where they were read already.
    """
    results: Results = {step.name: run.folder.result(step.name) or {} for step in plan.steps}
    past = newest_runs(kept_reports(run.target.catalog.root), run_id=run.run_id, before=plan.requested_at)
    since, ahead = _beginning(run, plan, approval)
    entries, unread = lines or ledger_lines(run)
    return Report(
        outcome=outcome,
        group=plan.group,
        run_id=plan.run_id,
        mode=plan.mode,
        source=plan.source,
        target=plan.target,
        recovery_point=run.folder.point_id(),
        plan_sha256=plan.sha256,
        requested_by=plan.requested_by,
        reason=plan.reason,
        requested_at=plan.requested_at,
        approved_by=approval.approved_by if approval else None,
        approved_at=approval.approved_at if approval else None,
        expected_rto_seconds=expected_rto(past),
        steps=tuple(_timeline(plan, since, results, past)),
        failed_tries=tuple(_failed_tries(entries, since)),
        past=past,
        storage=Files.model_validate(results.get(StepName.COMPARE, {})),
        metadata=Metadata.model_validate(results.get(StepName.RESTORE, {})),
        unfenced=results.get(StepName.FENCE, {}).get("unfenced"),
        fence=Fence.model_validate(results.get(StepName.FENCE, {})),
        service=Service.model_validate(results.get(StepName.VERIFY, {})),
        exceptions=(*_exceptions(run, plan, results), *ahead, *unread),
        **_objectives(run, plan, results, since),
    )


def _beginning(run: CutoverRun, plan: Plan, approval: Approval | None) -> tuple[datetime, list[str]]:
    """Return from when the seconds count, and what a reader must know of that.

    The approval has the time of Airflow's API server, all else that of the workers. An approval that was used before it
    was given shows that the first clock is ahead of the second, which would make the RTO too short.
    """
    if approval is None:
        return plan.requested_at, []
    use = run.folder.approval_use()
    if use is None or approval.approved_at <= use.used_at:
        return approval.approved_at, []
    seconds = (approval.approved_at - use.used_at).total_seconds()
    return use.used_at, [
        f"the clock of Airflow's API server is {seconds:.0f} s or more ahead of the worker's: "
        "the RTO counts from the first step, not from the approval"
    ]


def save_report(run: CutoverRun, plan: Plan, approval: Approval) -> dict[str, Any]:
    """Make the report of a promotion, keep it as JSON and as a page, and return what the JSON holds."""
    lines = ledger_lines(run)
    report = make_report(run, plan, approval, lines=lines)
    document = report.model_dump(mode="json")
    run.folder.save_page(report_page(report, lines[0]))
    run.folder.save_report(document)
    return document


def ledger_lines(run: CutoverRun) -> Lines:
    """Return what the run wrote to the ledger; one that cannot be read holds up no report."""
    try:
        return [entry for entry in run.target.ledger.entries() if entry.run_id == run.run_id], []
    except DrError as error:
        return [], [f"the ledger cannot be read, so tries that failed are not shown: {error.what}"]


def report_so_far(run: CutoverRun) -> Report:
    """Return the report that was kept, or what is known of a cutover that has none (yet).

    :raises PreconditionError: the run has no plan.
    """
    if (kept := run.folder.report()) is not None:
        return Report.model_validate(kept)
    nonce = (run.folder.result(StepName.FENCE) or {}).get("approval_nonce")
    approval = run.folder.approval(nonce) if nonce else None
    return make_report(run, run.folder.plan(), approval, GIVEN_UP if run.folder.is_closed() else UNDER_WAY)


def _objectives(run: CutoverRun, plan: Plan, results: Results, since: datetime) -> dict[str, Any]:
    """Return RPO and RTO, as far as they are known, against what was promised."""
    objectives = run.access.config.objectives
    facts: dict[str, Any] = {
        "rpo_objective_seconds": objectives.rpo_seconds,
        "rto_objective_seconds": objectives.rto_seconds,
    }
    if fence := results.get(StepName.FENCE):
        fenced_at = datetime.fromisoformat(fence["finished_at"])
        rpo = 0.0 if plan.mode.loses_nothing else (fenced_at - plan.point_opened_at).total_seconds()
        met = None if fence["unfenced"] else rpo <= objectives.rpo_seconds
        facts |= {"fenced_at": fenced_at, "rpo_seconds": round(rpo, 3), "rpo_met": met}
    if verified := results.get(StepName.VERIFY):
        verified_at = datetime.fromisoformat(verified["finished_at"])
        rto = (verified_at - since).total_seconds()
        facts |= {"verified_at": verified_at, "rto_seconds": round(rto, 3), "rto_met": rto <= objectives.rto_seconds}
    return facts


def _timeline(plan: Plan, since: datetime, results: Results, past: tuple[PastRun, ...]) -> Iterator[StepTime]:
    """Yield the steps that are done, with their own seconds and the seconds from the approval to their end."""
    for step in plan.steps:
        if result := results[step.name]:
            done_after = (datetime.fromisoformat(result["finished_at"]) - since).total_seconds()
            yield step_time(step.name, step.site, result["seconds"], done_after, past)


def _failed_tries(entries: list[LedgerEntry], since: datetime) -> Iterator[FailedTry]:
    for entry in entries:
        if entry.event.endswith(".step.failed"):  # a drill tells them as its own
            yield FailedTry(
                step=str(entry.details.get("step", "")),
                after_seconds=round((entry.at - since).total_seconds(), 3),
                reason=str(entry.details.get("reason", "")),
            )


def _exceptions(run: CutoverRun, plan: Plan, results: Results) -> Iterator[str]:
    """Yield what a reader must know beside the numbers."""
    try:
        yield from (f"recovery point: {each}" for each in run.point().exceptions)
    except DrError as error:
        yield f"the exceptions of the recovery point are not known: {error.what}"
    yield from fence_exceptions(plan.source, Fence.model_validate(results.get(StepName.FENCE, {})))
    yield from repair_exceptions(results.get(StepName.COMPARE, {}))
    yield from told_exceptions(results.get(StepName.FENCE, {}))
    yield from told_exceptions(results.get(StepName.PROMOTE, {}))
    yield from node_exceptions(plan.target, results.get(StepName.VERIFY, {}))
