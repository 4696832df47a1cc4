from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from incorta_provider.dr.approval import APPROVE, Approval, ApprovalUse
from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.plan import StepName
from incorta_provider.dr.topology import Objectives
from incorta_provider.exceptions import ApprovalError, FencingError, IntegrityError, PreconditionError, TransientError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.steps.cutover import promote as promote_module
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.promote import promote
from incorta_provider.steps.cutover.report import make_report, report_so_far
from incorta_provider.steps.cutover.run import CutoverRun
from tests.builders.group import NOON, Bench, cutover_run, done_before, frozen_plan, owner, promoting

FENCED = {
    "epoch": 2,
    "stopped": ["epoch registry"],
    "not_reached": {"services of n1": "gone"},
    "database": {"accounts": ["incorta@%"], "administrators": [], "events": [], "read_only": "on"},
}
FENCE = {**FENCED, "unfenced": True}
MINUTE = timedelta(minutes=1)


def record(run: CutoverRun, step: StepName, at_second: float, seconds: float, **facts: Any) -> None:
    """Record a step as done, some seconds after noon."""
    times = {"started_at": NOON, "finished_at": NOON + timedelta(seconds=at_second)}
    run.folder.record(
        step, {"seconds": seconds, **{name: at.isoformat() for name, at in times.items()}, "step": str(step), **facts}
    )


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return which databases had their events switched on."""
    switched: list[str] = []

    def enable(endpoint: Endpoint, inventory: Inventory) -> list[str]:
        assert inventory.rows == 3
        switched.append(endpoint.site)
        return ["nightly"]

    monkeypatch.setattr(promote_module, "enable_events", enable)
    return switched


@pytest.fixture
def run(bench: Bench) -> CutoverRun:
    """Return a cutover that is approved and verified: requested 60 s after the point's state, approved 30 s later."""
    run = cutover_run(bench)
    frozen_plan(bench, run, created_at=NOON, point_opened_at=NOON - MINUTE)
    approval = seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=NOON + timedelta(seconds=30))
    assert approval.approved_at == NOON + timedelta(seconds=30)
    run.folder.use_approval(ApprovalUse(nonce=approval.nonce, clear_number=0, used_at=NOON + timedelta(seconds=31)))
    done_before(bench, run, StepName.PROMOTE)
    record(run, StepName.FENCE, 32.5, 2, **FENCE)
    record(run, StepName.RESTORE, 50, 15.25, equal=True, tables=2, rows=3)
    record(run, StepName.COMPARE, 60, 10, equal=True, files=7, bytes=4096)
    record(run, StepName.VERIFY, 150.1234, 1, ready=["zookeeper"], schemas={"SALES": "Success"})
    bench.ensembles.lock("newyork").acquire(owner("manual__1", purpose="cutover"))
    return run


def told(at: datetime) -> str:
    """Return a time as reports have it."""
    return at.isoformat().replace("+00:00", "Z")


def approval_of(run: CutoverRun) -> Approval:
    approval = run.folder.approval()
    assert approval is not None
    return approval


def test_the_report_tells_what_was_lost_and_how_long_it_took(bench: Bench, run: CutoverRun) -> None:
    plan = run.folder.plan()
    report = make_report(run, plan, approval_of(run)).model_dump(mode="json")
    steps = report.pop("steps")
    assert report == {
        "outcome": "promoted",
        "group": "acme",
        "run_id": "manual__1",
        "mode": "unplanned",
        "source": "berlin",
        "target": "newyork",
        "recovery_point": plan.recovery_point,
        "plan_sha256": plan.sha256,
        "requested_by": "hana",
        "reason": "the data centre is on fire",
        "requested_at": told(NOON),
        "approved_by": "omar",
        "approved_at": told(NOON + timedelta(seconds=30)),
        "fenced_at": told(NOON + timedelta(seconds=32.5)),
        "verified_at": told(NOON + timedelta(seconds=150.1234)),
        "rpo_seconds": 92.5,
        "rpo_objective_seconds": 300.0,
        "rpo_met": None,
        "rto_seconds": 120.123,
        "rto_objective_seconds": 900.0,
        "rto_met": True,
        "forecast": None,
        "expected_rto_seconds": None,
        "failed_tries": [],
        "past": [],
        "storage": {"equal": True, "files": 7, "bytes": 4096},
        "metadata": {"equal": True, "tables": 2, "rows": 3},
        "unfenced": True,
        "fence": {**FENCED, "database": "locked: incorta@%; read_only on"},
        "service": {"ready": ["zookeeper"], "schemas": {"SALES": "Success"}, "rows": {}},
        "exceptions": ["berlin is not fully fenced: services of n1: gone"],
    }
    assert [step["name"] for step in steps] == [str(step.name) for step in run.folder.plan().steps[:-1]]
    assert steps[0] == {
        "name": "fence",
        "site": "berlin",
        "seconds": 2,
        "done_after_seconds": 2.5,
        "usual_seconds": None,
    }
    assert (steps[3]["name"], steps[3]["seconds"], steps[3]["done_after_seconds"]) == ("restore_metadata", 15.25, 20.0)


@pytest.mark.parametrize(
    ("rpo", "rto", "met"), [(93, 120, (True, True)), (92, 120, (False, True)), (93, 119, (True, False))]
)
def test_objectives_are_met_up_to_their_last_second(
    bench: Bench, run: CutoverRun, rpo: int, rto: int, met: tuple[bool, bool]
) -> None:
    """The loss is 93 s, the outage 120 s."""
    record(run, StepName.FENCE, 33, 2, **{**FENCE, "unfenced": False})
    record(run, StepName.VERIFY, 150, 1)
    access = bench.changed(objectives=Objectives(rpo_seconds=rpo, rto_seconds=rto))
    run = CutoverRun(access, run.target, run.run_id, run.actor)
    report = make_report(run, run.folder.plan(), approval_of(run))
    assert (report.rpo_met, report.rto_met) == met


def test_promotion_records_the_role_writes_the_report_and_gives_the_lock_back(
    bench: Bench, run: CutoverRun, events: list[str]
) -> None:
    report = promote(run)
    role = bench.ensembles.role("newyork")
    assert (role.epoch, role.active, role.state, role.run_id) == (2, "newyork", RoleState.STEADY, "manual__1")
    assert bench.ensembles.role("berlin") == role
    assert bench.ensembles.lock("newyork").holder() is None
    assert events == ["newyork"]
    assert [step["name"] for step in report["steps"]] == [str(step.name) for step in run.folder.plan().steps]
    assert run.folder.report() == report
    assert json.loads((run.folder.root / "report.json").read_text()) == report
    page = (run.folder.root / "report.html").read_text()
    assert ">promoted</b>" in page
    assert "<td>cutover.approved</td><td>omar</td>" in page
    assert run.folder.result(StepName.PROMOTE) is not None
    assert bench.events()[-1] == "cutover.done"
    assert bench.last("cutover.done") == {"rpo_seconds": 92.5, "rto_seconds": 120.123, "unfenced": True}


def test_the_report_names_the_approval_that_the_fence_used(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    seal_approval(run, answered_by="pat", chosen=[APPROVE], answered_at=NOON + timedelta(days=3))
    report = promote(run)
    assert (report["approved_by"], report["rto_seconds"]) == ("omar", 120.123)


def test_doing_it_again_gives_the_same_report_and_one_line(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    first = promote(run)
    bench.clock.go_on(600)
    assert promote(cutover_run(bench)) == first
    assert events == ["newyork"]
    assert bench.events().count("cutover.done") == 1


def test_a_kill_behind_the_role_is_mended_by_the_next_try(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    """The registry says steady, and neither journal nor report know it yet."""
    promote(run)
    role = bench.ensembles.role("newyork")
    (run.folder.root / "steps" / "promote.json").unlink()
    (run.folder.root / "report.json").unlink()
    report = promote(cutover_run(bench))
    assert run.folder.report() == report
    assert bench.ensembles.role("newyork") == role


def test_a_source_that_is_gone_keeps_nobody_waiting_and_is_named(
    bench: Bench, run: CutoverRun, events: list[str]
) -> None:
    bench.ensembles.down.add("berlin_zookeeper")
    promote(run)
    result = run.folder.result(StepName.PROMOTE)
    assert result is not None
    assert list(result["not_told"]) == ["berlin"]
    assert bench.ensembles.role("newyork").state is RoleState.STEADY
    assert bench.ensembles.role("berlin").epoch == 1


@pytest.mark.parametrize("damage", ["absent", "forged"])
def test_promotion_verifies_the_approval_itself(bench: Bench, run: CutoverRun, events: list[str], damage: str) -> None:
    (path,) = (run.folder.root / "approvals").iterdir()
    if damage == "absent":
        path.unlink()
    else:
        path.write_text(path.read_text().replace('"omar"', '"mallory"'))
    with pytest.raises(ApprovalError):
        promote(run)
    assert events == []
    assert bench.ensembles.role("newyork").state is RoleState.PROMOTING
    assert run.folder.report() is None


def test_an_approval_that_expired_meanwhile_is_no_obstacle(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    bench.clock.go_on(100_000)
    assert promote(run)["approved_by"] == "omar"


def test_a_cutover_that_another_took_over_promotes_nothing(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    promoting(bench, "manual__2")
    with pytest.raises(FencingError, match="manual__1 is not the one that promotes"):
        promote(run)
    assert events == []
    assert run.folder.report() is None


def test_nothing_is_promoted_before_the_service_was_verified(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    (run.folder.root / "steps" / "verify_service.json").unlink()
    with pytest.raises(PreconditionError, match="verify_service is not done"):
        promote(run)
    assert events == []


def test_the_events_of_a_damaged_inventory_are_not_switched_on(
    bench: Bench, run: CutoverRun, events: list[str]
) -> None:
    path = bench.catalog.inventory_path(run.folder.plan().recovery_point)
    path.write_text(path.read_text() + " ")
    with pytest.raises(IntegrityError):
        promote(run)
    assert events == []
    assert bench.ensembles.role("newyork").state is RoleState.PROMOTING


def test_a_registry_that_does_not_answer_is_tried_again(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    bench.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(TransientError):
        promote(run)
    bench.ensembles.down.clear()
    assert promote(run)["run_id"] == "manual__1"


def test_the_lock_of_another_stays_his(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    bench.ensembles.lock("newyork").release("manual__1")
    bench.ensembles.lock("newyork").acquire(owner("scheduled__9"))
    promote(run)
    assert bench.ensembles.lock("newyork").holder() == owner("scheduled__9")


def test_a_later_report_is_compared_with_the_earlier_ones(bench: Bench, run: CutoverRun, events: list[str]) -> None:
    earlier = promote(run)
    for run_id, rto in (("d1", 50.0), ("d2", 70.0), ("d3", None)):
        approved = told(NOON - timedelta(days=1))
        document = {
            **earlier,
            "mode": "drill",
            "service": {"ready": None},
            "run_id": run_id,
            "rto_seconds": rto,
            "approved_at": approved,
        }
        folder = bench.catalog.root / "drills" / run_id
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps(document))
    (bench.catalog.root / "drills" / "damaged").mkdir()
    (bench.catalog.root / "drills" / "damaged" / "report.json").write_text("{}")
    later = run.folder.plan().model_copy(update={"requested_at": NOON + timedelta(days=2)})
    second = CutoverRun(run.access, run.target, "manual__2", "hana")
    second.folder.freeze(later)
    report = make_report(second, later, None)
    assert [(past.run_id, past.kind) for past in report.past] == [
        ("manual__1", "unplanned cutover"),
        ("d1", "drill"),
        ("d2", "drill"),
    ]
    assert report.expected_rto_seconds == 70.0
    assert make_report(run, run.folder.plan(), approval_of(run)).expected_rto_seconds == 60.0


def test_a_report_says_what_is_known_at_any_time(bench: Bench) -> None:
    run = cutover_run(bench)
    with pytest.raises(PreconditionError, match="no plan was frozen"):
        report_so_far(run)
    frozen_plan(bench, run, created_at=NOON, point_opened_at=NOON - MINUTE)
    report = report_so_far(run)
    assert (report.outcome, report.steps, report.rpo_seconds, report.rto_seconds) == ("under way", (), None, None)
    approval = seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=NOON + timedelta(seconds=30))
    assert report_so_far(run).approved_by is None
    record(run, StepName.FENCE, 32.5, 2, **FENCE, approval_nonce=approval.nonce)
    run.note("cutover.step.failed", "1", {"step": "stop_target", "reason": "port 4500 is open"})
    report = report_so_far(run)
    assert (report.approved_by, report.rpo_seconds, report.rto_seconds) == ("omar", 92.5, None)
    assert [(step.name, step.done_after_seconds) for step in report.steps] == [("fence", 2.5)]
    assert [(each.step, each.reason) for each in report.failed_tries] == [("stop_target", "port 4500 is open")]
    run.folder.mark_aborted()
    assert report_so_far(run).outcome == "given up"


def test_a_damaged_ledger_and_a_point_that_is_gone_hold_up_no_report(
    bench: Bench, run: CutoverRun, events: list[str]
) -> None:
    point = run.folder.plan().recovery_point
    (bench.catalog.root / "ledger.jsonl").write_text("no entry\n")
    (bench.catalog.point_dir(point) / "point.json").write_text("{")
    report = make_report(run, run.folder.plan(), approval_of(run))
    assert [each.partition(":")[0] for each in report.exceptions] == [
        "the exceptions of the recovery point are not known",
        "berlin is not fully fenced",
        "the ledger cannot be read, so tries that failed are not shown",
    ]
