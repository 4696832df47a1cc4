"""What is wrong with the live replica is known before anything is fenced."""

from __future__ import annotations

import os

import pytest

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.steps import metadata_readiness
from incorta_provider.steps.cutover import request as request_module
from incorta_provider.steps.cutover.request import request_cutover
from incorta_provider.steps.replication.apply import apply
from incorta_provider.storage.apply.actual import mark_diverged
from tests.builders.group import Bench, cutover_request, cutover_run, replication_run
from tests.builders.sealing import sealed

FILES = ("notes.txt", "source/a", "source/b")


@pytest.fixture
def point(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> str:
    """Seal and apply a point of some files, and return its id."""
    monkeypatch.setattr(metadata_readiness, "restore_findings", lambda *_, **__: [])
    monkeypatch.setattr(request_module, "ensure_alone", lambda endpoint: None)
    (bench.storage("berlin") / "source").mkdir()
    for name in FILES:
        (bench.storage("berlin") / name).write_text(name)
    run = replication_run(bench)
    point = sealed(run)
    apply(run)
    bench.ensembles.lock("newyork").release("scheduled__1")
    return point.id


def apply_actions(plan: Plan) -> tuple[str, ...]:
    (step,) = [step for step in plan.steps if step.name is StepName.APPLY]
    return step.actions[1:]


def test_a_replica_as_its_record_says_needs_no_word(bench: Bench, point: str) -> None:
    assert apply_actions(request_cutover(cutover_run(bench), cutover_request())) == ()


def test_a_lost_file_whose_bytes_are_nowhere_is_told_before_the_fence(bench: Bench, point: str) -> None:
    (bench.storage("newyork") / "source" / "a").unlink()
    with pytest.raises(IntegrityError, match=r"1 file\(s\) of the recovery point are nowhere .*\n  source/a"):
        request_cutover(cutover_run(bench), cutover_request())
    assert not cutover_run(bench).folder.has_plan()
    assert bench.ensembles.role("newyork").epoch == 1


def test_what_can_be_mended_stands_in_the_plan(bench: Bench, point: str) -> None:
    root = bench.storage("newyork")
    os.utime(root / "source" / "b", ns=(1, 1))
    (root / "by hand").touch()
    assert apply_actions(request_cutover(cutover_run(bench), cutover_request())) == (
        f"1 different since {point}, will be mended: source/b",
        f"1 unexpected since {point}, will be mended: by hand",
    )


def test_a_replica_on_which_services_ran_is_told(bench: Bench, point: str) -> None:
    mark_diverged(bench.catalog)
    assert apply_actions(request_cutover(cutover_run(bench), cutover_request())) == (
        f"services ran on the replica since it was {point}; what they wrote goes to the history",
    )


def test_an_apply_under_way_is_waited_for(bench: Bench, point: str) -> None:
    with bench.catalog.lock("apply"), pytest.raises(TransientError, match="busy"):
        request_cutover(cutover_run(bench), cutover_request())
    assert request_cutover(cutover_run(bench), cutover_request()).recovery_point == point
