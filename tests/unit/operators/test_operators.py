"""Each operator hands its step the right run, and XCom something small."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.dump import DumpReport
from incorta_provider.operators import cutover as cutover_operators
from incorta_provider.operators import replication as replication_operators
from incorta_provider.operators.approval import CutoverApprovalOperator
from incorta_provider.operators.cutover import (
    ApplyPendingOperator,
    CommitOperator,
    CompareReplicaOperator,
    CutoverStepOperator,
    FenceOperator,
    PromoteOperator,
    RequestCutoverOperator,
    RestoreMetadataOperator,
    RewriteMetadataOperator,
    StartAnalyticsOperator,
    StartCmcOperator,
    StartLoaderOperator,
    StartNodesOperator,
    StopTargetOperator,
    SwitchTrafficOperator,
    TakeStepsOperator,
    VerifyServiceOperator,
)
from incorta_provider.operators.replication import (
    ApplyRecoveryPointOperator,
    CheckRecoveryPointOperator,
    CopyShardOperator,
    DumpMetadataOperator,
    FinalCopyOperator,
    OpenRecoveryPointOperator,
    PreCopyOperator,
    ProveMetadataOperator,
    ReleaseLockOperator,
    ReplicationOperator,
    SealRecoveryPointOperator,
    recovery_point_asset,
)
from incorta_provider.sensors.site_ready import SiteReadySensor
from incorta_provider.steps.cutover.run import REPEATABLE, CutoverRun
from incorta_provider.steps.replication.run import CheckReport, ReplicationRun, RunRecord
from incorta_provider.storage.copying.shards import ShardReport
from incorta_provider.storage.copying.transfer import CopyReport
from incorta_provider.storage.target import ApplyReport
from tests.builders.group import NOON, PASSWORD, Bench, cutover_run, done_before, frozen_plan, report_of, sealed_point

TARGET = {"group": "acme", "target": "newyork"}
FORM = {"mode": "unplanned", "recovery_point": "", "confirmation": "PROMOTE newyork", "reason": "fire"}
COPIED = report_of(CopyReport, listed=10, copied_files=4, copied_bytes=4096, reused=6, vanished=(b"gone",))

REPLICATION: list[tuple[type[ReplicationOperator], str, Any, Any]] = [
    (
        OpenRecoveryPointOperator,
        "open_run",
        RunRecord(
            run_id="r1",
            point_id="20261125T120000Z-1",
            opened_at=NOON,
            source="berlin",
            epoch=1,
            previous=None,
            incorta_version="1",
        ),
        "20261125T120000Z-1",
    ),
    (PreCopyOperator, "pre_copy", COPIED, []),
    (
        DumpMetadataOperator,
        "dump_metadata",
        report_of(DumpReport, position="bin.000001:4", tables=9, rows=300, bytes=2048),
        {"tables": 9, "rows": 300, "bytes": 2048, "position": "bin.000001:4"},
    ),
    (FinalCopyOperator, "final_copy", COPIED, {"listed": 10, "copied_files": 4, "copied_bytes": 4096}),
    (
        CheckRecoveryPointOperator,
        "check",
        CheckReport(
            staged_files=4,
            staged_bytes=4096,
            references=7,
            orphans=2,
            exceptions=("a: left out",),
            manifest_sha256="0" * 64,
            inventory_sha256="1" * 64,
        ),
        {"references": 7, "orphans": 2, "exceptions": ["a: left out"]},
    ),
    (ProveMetadataOperator, "prove_dump", None, None),
    (
        ApplyRecoveryPointOperator,
        "apply",
        report_of(ApplyReport, moved=4, removed=1, kept=5),
        {"moved": 4, "removed": 1, "kept": 5},
    ),
    (ReleaseLockOperator, "release", None, None),
]
STEPS: list[tuple[type[CutoverStepOperator], StepName]] = [
    (FenceOperator, StepName.FENCE),
    (StopTargetOperator, StepName.STOP_TARGET),
    (ApplyPendingOperator, StepName.APPLY),
    (RestoreMetadataOperator, StepName.RESTORE),
    (RewriteMetadataOperator, StepName.REWRITE),
    (CompareReplicaOperator, StepName.COMPARE),
    (StartNodesOperator, StepName.START_NODES),
    (StartCmcOperator, StepName.START_CMC),
    (StartLoaderOperator, StepName.START_LOADER),
    (StartAnalyticsOperator, StepName.START_ANALYTICS),
    (VerifyServiceOperator, StepName.VERIFY),
]


def context(run_id: str = "manual__1", by: str | None = "hana") -> Any:
    """Return what an operator takes from the context of a task."""
    run = SimpleNamespace(run_id=run_id, triggering_user_name=by, run_after=NOON, clear_number=0)
    return {"dag_run": run, "outlet_events": defaultdict(SimpleNamespace)}


def every_operator(**fields: Any) -> list[Any]:
    """Make one task of each operator; ``fields`` take the place of usual arguments."""
    target = {**TARGET, **fields}
    made: list[Any] = [kind(task_id=kind.__name__, **target) for kind, *_ in REPLICATION]
    made.append(SealRecoveryPointOperator(task_id="seal", **target))
    made += [kind(task_id=kind.__name__, **target) for kind, _ in STEPS]
    made.append(RequestCutoverOperator(task_id="request", **FORM, **target))
    made.append(CutoverApprovalOperator(task_id="approve", **target))
    made.append(PromoteOperator(task_id="promote", **target))
    made.append(SiteReadySensor(task_id="ready", part="cmc", **target))
    return made


def test_tasks_are_made_without_a_topology_or_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow makes them whenever it reads a DAG file: nothing is read or reached then."""
    monkeypatch.delenv("AIRFLOW__INCORTA_DR__TOPOLOGY", raising=False)
    with DAG("d", schedule=None):
        assert len(every_operator()) == len(REPLICATION) + len(STEPS) + 5


def test_names_are_templates() -> None:
    with DAG("d", schedule=None):
        made = every_operator(group="{{ g }}", target="{{ t }}")
    for operator in made:
        operator.render_template_fields({"g": "acme", "t": "newyork"})
        assert (operator.group, operator.target) == ("acme", "newyork")


def test_the_whole_form_is_a_template() -> None:
    with DAG("d", schedule=None):
        form = {name: f"{{{{ params.{name} }}}}" for name in FORM}
        made = RequestCutoverOperator(task_id="request", **form, **TARGET)
    made.render_template_fields({"params": FORM})
    assert {name: getattr(made, name) for name in FORM} == FORM


def test_what_a_person_typed_is_no_template() -> None:
    """The form is rendered once: what comes out of it is not looked at again."""
    with DAG("d", schedule=None):
        made = RequestCutoverOperator(task_id="request", **{**FORM, "reason": "{{ params.reason }}"}, **TARGET)
    made.render_template_fields({"params": {"reason": "{{ 6 * 7 }}"}})
    assert made.reason == "{{ 6 * 7 }}"


@pytest.mark.parametrize(("kind", "step", "report", "returned"), REPLICATION)
def test_a_replication_task_takes_its_step_and_returns_a_small_reference(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[ReplicationOperator],
    step: str,
    report: Any,
    returned: Any,
) -> None:
    runs: list[ReplicationRun] = []

    def take(run: ReplicationRun, **_: Any) -> Any:
        runs.append(run)
        return report

    monkeypatch.setattr(replication_operators, step, take)
    with DAG("replicate", schedule=None):
        made = kind(task_id="t", **TARGET)
    assert made.execute(context("scheduled__1")) == returned
    json.dumps(returned)
    (run,) = runs
    assert (run.access.name, run.target.name) == ("acme", "newyork")
    assert (run.run_id, run.actor) == ("scheduled__1", "dag replicate")
    assert run.target.target.label == str(bench.storage("newyork"))


def test_a_large_pre_copy_leaves_its_shards_to_tasks_by_their_numbers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        replication_operators, "pre_copy", lambda _, *, split: asked.append(split) or replace(COPIED, shards=(0, 1, 2))
    )
    done = ShardReport(copied_files=4, copied_bytes=4096, reused=1, missed=0, seconds=1.0)
    monkeypatch.setattr(replication_operators, "copy_shard", lambda _, number: asked.append(number) or done)
    with DAG("replicate", schedule=None):
        copied = PreCopyOperator(task_id="pre_copy", **TARGET)
        shard = CopyShardOperator(task_id="copy_shard", shard=2, **TARGET)
    assert copied.execute(context("scheduled__1")) == [0, 1, 2]
    assert shard.execute(context("scheduled__1")) == {"copied_files": 4, "copied_bytes": 4096, "reused": 1}
    assert asked == [True, 2]


def sealing(monkeypatch: pytest.MonkeyPatch, bench: Bench, *outlets: Any) -> SealRecoveryPointOperator:
    point = sealed_point(bench.catalog)
    monkeypatch.setattr(replication_operators, "seal", lambda _: point)
    with DAG("replicate", schedule=None):
        return SealRecoveryPointOperator(task_id="seal", outlets=list(outlets), **TARGET)


def test_a_sealed_point_tells_its_facts_to_xcom_and_to_its_asset(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asset, given = recovery_point_asset("acme", "newyork"), context()
    facts = sealing(monkeypatch, bench, asset).execute(given)
    (point,) = bench.catalog.points()
    assert facts == {
        "recovery_point": point.id,
        "group": "acme",
        "site": "newyork",
        "opened_at": point.opened_at.isoformat(),
        "summary": point.summary(),
    }
    assert given["outlet_events"][asset].extra == facts
    json.dumps(facts)


def test_a_point_can_be_sealed_without_an_asset(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    given = context()
    sealing(monkeypatch, bench).execute(given)
    assert not given["outlet_events"]


def test_an_asset_stands_for_the_points_of_one_group_at_one_site() -> None:
    asset = recovery_point_asset("acme", "newyork")
    assert isinstance(asset, Asset)
    assert (asset.name, asset.uri) == (
        "incorta_recovery_point__acme__newyork",
        "incorta-dr://acme/newyork/recovery-point",
    )
    assert asset != recovery_point_asset("acme", "tokyo")


@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_a_cutover_task_asks_the_journal_of_its_own_run_for_its_own_step(
    bench: Bench, kind: type[CutoverStepOperator], step: StepName
) -> None:
    """The step is recorded as done, so nothing is reached: what comes back is what the journal holds."""
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    recorded = {
        "step": str(step),
        "finished_at": bench.clock.now.isoformat(),
        "marker": f"{step} was done",
        "unfenced": False,
    }
    run.folder.record(step, recorded)
    bench.nodes.down.update({"newyork_node1", "newyork_node2"})
    made = kind(task_id="t", **TARGET)
    if step in REPEATABLE:
        with pytest.raises(TransientError):
            made.execute(context())
        assert bench.last("cutover.step.failed")["step"] == str(step)
    else:
        assert made.execute(context()) == recorded
    (other,) = {entry.run_id for entry in run.target.ledger.entries()}
    assert other == "manual__1"


@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_in_the_round_in_which_its_step_was_taken_a_task_only_shows_it(
    bench: Bench, kind: type[CutoverStepOperator], step: StepName
) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    taken = {"step": str(step), "finished_at": bench.clock.now.isoformat(), "round": 0, "unfenced": True}
    run.folder.record(step, taken)
    assert kind(task_id="t", **TARGET).execute(context()) == taken
    assert bench.nodes.calls == []


def test_what_the_plan_does_not_have_is_skipped(bench: Bench) -> None:
    frozen_plan(bench, cutover_run(bench))
    with pytest.raises(AirflowSkipException, match="has no step switch_traffic"):
        SwitchTrafficOperator(task_id="t", **TARGET).execute(context())


def test_steps_that_cannot_be_taken_are_left_to_their_tasks(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.STOP_TARGET)
    bench.nodes.down.update({"newyork_node1", "newyork_node2"})
    result = TakeStepsOperator(task_id="t", **TARGET).execute(context())
    assert result["done"] == ["fence"]
    assert result["left"].startswith("stop_target: the node cannot be reached")


def test_a_commit_is_made_in_the_name_of_who_triggered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(cutover_operators, "commit", lambda access, run_id, by: asked.append((access.name, run_id, by)))
    CommitOperator(task_id="t", **TARGET).execute(context())
    assert asked == [("acme", "manual__1", "hana")]


@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_without_a_plan_a_cutover_task_fails_for_good(
    bench: Bench, kind: type[CutoverStepOperator], step: StepName
) -> None:
    with pytest.raises(AirflowFailException, match="PreconditionError: no plan was frozen for run manual__1"):
        kind(task_id="t", **TARGET).execute(context())


def test_a_request_is_made_of_the_form_and_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = frozen_plan(bench, cutover_run(bench))
    requests: list[Any] = []

    def request(run: CutoverRun, request: Any) -> Any:
        requests.append((run.run_id, run.target.name, run.actor, request))
        return plan

    monkeypatch.setattr(cutover_operators, "request_cutover", request)
    before = datetime.now(UTC)
    made = RequestCutoverOperator(task_id="request", **{**FORM, "recovery_point": "p1"}, **TARGET)
    assert made.execute(context()) == {"recovery_point": plan.recovery_point, "plan_sha256": plan.sha256}
    ((run_id, target, actor, asked),) = requests
    assert (run_id, target, actor) == ("manual__1", "newyork", "hana")
    assert asked.model_dump(exclude={"created_at"}) == {
        "run_id": "manual__1",
        "target": "newyork",
        "mode": "unplanned",
        "recovery_point": "p1",
        "confirmation": "PROMOTE newyork",
        "reason": "fire",
        "accept_unfenced": False,
        "requested_by": "hana",
        "requested_at": NOON,
    }
    assert before <= asked.created_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("form", "by", "reason"),
    [
        ({"mode": "yolo"}, "hana", "there is no mode 'yolo', only planned, unplanned, failback"),
        ({"mode": ""}, "hana", "there is no mode '', only planned, unplanned, failback"),
        ({"mode": "planned", "accept_unfenced": "True"}, "hana", "an unfenced one cannot be accepted"),
        ({"confirmation": "yes"}, "hana", "the confirmation must read 'PROMOTE newyork', not 'yes'"),
        ({"reason": ""}, "hana", "a reason is missing"),
        ({}, None, "it is not known who triggered the run"),
    ],
)
def test_a_form_that_is_not_in_order_fails_the_task_for_good(
    bench: Bench, form: dict[str, str], by: str | None, reason: str
) -> None:
    made = RequestCutoverOperator(task_id="request", **{**FORM, **form}, **TARGET)
    with pytest.raises(AirflowFailException, match=reason):
        made.execute(context(by=by))
    assert bench.events() == []


def test_promotion_returns_where_the_report_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    report = {"recovery_point": "p1", "rpo_seconds": 60.0, "rto_seconds": 90.5, "unfenced": True, "steps": ["many"]}
    monkeypatch.setattr(cutover_operators, "promote", lambda _: report)
    assert PromoteOperator(task_id="promote", **TARGET).execute(context()) == {
        "report": str(cutover_run(bench).folder.root / "report.json"),
        "group": "acme",
        "site": "newyork",
        "run_id": "manual__1",
        "recovery_point": "p1",
        "rpo_seconds": 60.0,
        "rto_seconds": 90.5,
        "unfenced": True,
    }


def test_no_secret_is_in_what_a_task_shows_of_itself(bench: Bench) -> None:
    with DAG("d", schedule=None):
        for operator in every_operator():
            shown = {field: getattr(operator, field) for field in operator.template_fields}
            assert PASSWORD not in f"{operator!r}{shown}"
