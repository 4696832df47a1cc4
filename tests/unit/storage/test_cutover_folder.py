from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from incorta_provider.dr.approval import Approval
from incorta_provider.dr.plan import Mode, Plan, StepName
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.cutover_folder import CutoverFolder

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path) -> None:
    Catalog(tmp_path).initialise("acme", "newyork")


def plan(reason: str = "fire") -> Plan:
    return Plan(
        group="acme",
        run_id="manual__1",
        mode=Mode.UNPLANNED,
        source="berlin",
        target="newyork",
        epoch=1,
        recovery_point="p1",
        point_opened_at=NOW,
        requested_by="hana",
        reason=reason,
        requested_at=NOW,
        created_at=NOW,
        steps=(),
    )


def approval() -> Approval:
    return Approval(
        group="acme",
        run_id="manual__1",
        plan_sha256=plan().sha256,
        recovery_point="p1",
        target="newyork",
        requested_by="hana",
        approved_by="omar",
        approved_at=NOW,
        expires_at=NOW,
        nonce="n",
    )


def test_the_first_plan_of_a_run_is_the_one_that_holds(tmp_path: Path) -> None:
    folder = CutoverFolder(tmp_path, "manual__1")
    assert not folder.has_plan()
    assert folder.freeze(plan("fire")) == plan("fire")
    assert folder.freeze(plan("water")) == plan("fire")
    assert folder.plan() == plan("fire")


def test_a_run_without_a_plan_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="Trigger the cutover DAG"):
        CutoverFolder(tmp_path, "manual__1").plan()


def test_results_tell_which_steps_are_done(tmp_path: Path) -> None:
    folder = CutoverFolder(tmp_path, "manual__1")
    assert folder.done() == set()
    assert folder.result(StepName.FENCE) is None
    folder.record(StepName.FENCE, {"unfenced": True})
    assert folder.done() == {StepName.FENCE}
    assert folder.result(StepName.FENCE) == {"unfenced": True}


def test_an_approval_comes_back_as_it_was_signed(tmp_path: Path) -> None:
    folder = CutoverFolder(tmp_path, "manual__1")
    assert folder.approval() is None
    signed = approval().signed(b"key" * 8)
    folder.save_approval(signed)
    assert folder.approval() == signed


def test_run_ids_that_look_alike_have_folders_of_their_own(tmp_path: Path) -> None:
    names = ["manual__2026-11-25T03:00:00+00:00", "manual__2026-11-25T03_00_00+00_00", "../../etc", "..", "", "a" * 300]
    roots = {CutoverFolder(tmp_path, name).root for name in names}
    assert len(roots) == len(names)
    for root in roots:
        assert root.parent == tmp_path / "cutovers"
        assert len(root.name) < 100


def test_each_approval_is_kept_by_its_nonce_and_the_newest_is_the_one_asked_for(tmp_path: Path) -> None:
    folder = CutoverFolder(tmp_path, "manual__1")
    first, second = (approval().model_copy(update={"nonce": nonce}) for nonce in ("aa", "../bb"))
    folder.save_approval(first)
    folder.save_approval(second)
    assert folder.approval() == second
    assert (folder.approval("aa"), folder.approval("../bb"), folder.approval("cc")) == (first, second, None)
    assert len(list((folder.root / "approvals").iterdir())) == 2


def test_only_the_workers_account_may_look_inside(tmp_path: Path) -> None:
    """Definitions of the metadata that a cutover replaces are kept there."""
    folder = CutoverFolder(tmp_path, "manual__1")
    folder.freeze(plan())
    folder.record(StepName.FENCE, {})
    folders = (folder.root.parent, folder.root, folder.root / "steps", folder.schema_switch)
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in folder.root.rglob("*.json")} == {0o600}
