from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pytest

from incorta_provider.dr.epoch import Role, RoleState, promoting_role
from incorta_provider.dr.recovery_point import point_id
from incorta_provider.dr.site import ZooKeeper
from incorta_provider.exceptions import FencingError, NothingToDo, PreconditionError, SiteIsActive, TransientError
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.replication import open as open_module
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.release import release
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.replication.source import active_source
from tests.builders.group import ACTOR, NOON, Bench, owner, replication_run, sealed_point


def promoted(bench: Bench, **changes: Any) -> Role:
    role = promoting_role(bench.ensembles.role("newyork"), "newyork", by="hana", run_id="m1", at=NOON)
    return role.model_copy(update=changes)


def test_the_first_run_fixes_time_epoch_and_release(bench: Bench) -> None:
    record = open_run(replication_run(bench))
    assert record.model_dump() == {
        "run_id": "scheduled__1",
        "point_id": point_id(NOON, "scheduled__1"),
        "opened_at": NOON,
        "source": "berlin",
        "epoch": 1,
        "previous": None,
        "adopted": False,
        "incorta_version": "2024.1.0",
    }
    holder = bench.ensembles.lock("newyork").holder()
    assert holder is not None
    assert (holder.run_id, holder.dag_id, holder.purpose) == ("scheduled__1", ACTOR, "replication")
    assert bench.ensembles.lock("berlin").holder() is None
    assert bench.events() == []


def test_a_retried_task_goes_on_with_the_same_point_and_the_same_time(bench: Bench) -> None:
    first = open_run(replication_run(bench))
    bench.clock.go_on(60)
    staged = replication_run(bench).workspace.files / "half"
    staged.write_text("copied before the kill")
    assert open_run(replication_run(bench)) == first
    assert staged.read_text() == "copied before the kill"


def test_a_point_from_the_future_stops_replication_loudly(bench: Bench) -> None:
    """Points are ordered by time: it would stay the newest, and a cutover's default, whatever is sealed after it."""
    sealed_point(bench.catalog, sealed_at=NOON + timedelta(hours=2), run_id="ahead")
    with pytest.raises(PreconditionError, match=r"it is 2026-.* here, and recovery point .* was sealed at 2026-"):
        open_run(replication_run(bench))
    assert bench.ensembles.lock("newyork").holder() is None
    bench.clock.go_on(2 * 3600)
    assert open_run(replication_run(bench)).previous is not None


def test_a_target_that_is_not_mounted_is_refused_and_nothing_is_written_in_its_place(bench: Bench) -> None:
    shutil.rmtree(bench.catalog.root)
    bench.catalog.root.mkdir()
    with pytest.raises(PreconditionError, match="the catalog is not there"):
        open_run(replication_run(bench))
    assert list(bench.catalog.root.iterdir()) == []


def test_a_catalog_of_another_group_is_refused(bench: Bench) -> None:
    shutil.rmtree(bench.catalog.root)
    bench.catalog.initialise("other", "newyork")
    with pytest.raises(PreconditionError, match="this is the catalog of other at newyork, not of acme at newyork"):
        open_run(replication_run(bench))


def test_a_run_builds_on_the_newest_point(bench: Bench) -> None:
    sealed_point(bench.catalog, "scheduled__1", opened_at=NOON - timedelta(hours=2))
    newest = sealed_point(bench.catalog, "scheduled__2", opened_at=NOON - timedelta(hours=1))
    assert open_run(replication_run(bench, "scheduled__3")).previous == newest.id


def test_a_run_that_sealed_its_point_has_nothing_to_do_and_takes_no_lock(bench: Bench) -> None:
    point = sealed_point(bench.catalog, "scheduled__1")
    with pytest.raises(NothingToDo, match=f"sealed recovery point {point.id} already"):
        open_run(replication_run(bench))
    assert bench.ensembles.lock("newyork").holder() is None


def test_a_dead_run_s_lock_is_taken_over_and_its_workspace_collected(bench: Bench) -> None:
    open_run(replication_run(bench, "scheduled__1"))
    dead = replication_run(bench, "scheduled__1").workspace.root
    open_run(replication_run(bench, "scheduled__2"))
    assert not dead.exists()
    assert bench.events() == ["lock.taken_over"]
    assert bench.last("lock.taken_over")["from_run"] == "scheduled__1"


@pytest.mark.parametrize(
    ("purpose", "dag_id"), [("cutover", ACTOR), ("replication", "dag incorta_replication__acme__tokyo")]
)
def test_work_of_another_kind_is_waited_for(bench: Bench, purpose: str, dag_id: str) -> None:
    holder = owner("m1", purpose=purpose, dag_id=dag_id)
    bench.ensembles.lock("newyork").acquire(holder)
    other = bench.catalog.workspace("m1").root
    with pytest.raises(TransientError, match="the lock is held by run m1"):
        open_run(replication_run(bench))
    assert bench.ensembles.lock("newyork").holder() == holder
    assert replication_run(bench).recorded() is None
    assert other.exists()


def test_after_a_cutover_replication_to_the_promoted_site_stands_aside(bench: Bench) -> None:
    bench.ensembles.set_role("newyork", promoted(bench, state=RoleState.STEADY))
    bench.ensembles.down.add("berlin_zookeeper")
    with pytest.raises(NothingToDo, match=r"newyork is the active site \(epoch 2\)"):
        open_run(replication_run(bench))
    assert bench.events() == []


def test_a_cutover_that_is_half_done_fails_the_run_loudly(bench: Bench) -> None:
    bench.ensembles.set_role("newyork", promoted(bench))
    bench.ensembles.down.add("berlin_zookeeper")
    with pytest.raises(FencingError, match=r"newyork is active \(epoch 2, promoting\)") as caught:
        open_run(replication_run(bench))
    assert "incorta-dr cutover abort --run m1" in caught.value.fix
    assert bench.events() == ["point.void"]


def test_a_source_that_was_not_told_that_it_is_active_again_makes_the_run_void(bench: Bench) -> None:
    given_up = promoted(bench, active="berlin", fenced=None, epoch=3, state=RoleState.STEADY)
    bench.ensembles.set_role("newyork", given_up)
    with pytest.raises(FencingError, match="the two sites disagree about the epoch"):
        open_run(replication_run(bench))
    assert bench.events() == ["point.void"]
    assert bench.ensembles.lock("newyork").holder() is None


def test_a_registry_that_was_never_initialised_is_told_with_the_command(bench: Bench) -> None:
    bench.ensembles.session("newyork").nodes.clear()
    with pytest.raises(PreconditionError, match="the epoch registry is empty") as caught:
        open_run(replication_run(bench))
    assert "incorta-dr epoch init" in caught.value.fix


@pytest.mark.parametrize("site", ["berlin", "newyork"])
def test_a_site_that_cannot_be_asked_may_come_back(bench: Bench, site: str) -> None:
    bench.ensembles.down.add(f"{site}_zookeeper")
    with pytest.raises(TransientError):
        open_run(replication_run(bench))
    assert bench.events() == []
    bench.ensembles.down.clear()
    assert open_run(replication_run(bench)).epoch == 1


def test_two_releases_of_incorta_are_not_mixed(bench: Bench) -> None:
    bench.nodes.releases = {"newyork_node1": "2024.7.0"}
    with pytest.raises(PreconditionError, match=r"Incorta is 2024.1.0 at berlin and 2024.7.0 at newyork"):
        open_run(replication_run(bench))
    assert replication_run(bench).recorded() is None
    assert bench.ensembles.lock("newyork").holder() is None


def test_two_releases_are_told_even_while_other_work_holds_the_lock(bench: Bench) -> None:
    holder = owner("m1", purpose="cutover")
    bench.ensembles.lock("newyork").acquire(holder)
    bench.nodes.releases = {"newyork_node1": "2024.7.0"}
    with pytest.raises(PreconditionError, match=r"2024\.7\.0 at newyork"):
        open_run(replication_run(bench))
    assert bench.ensembles.lock("newyork").holder() == holder


def test_a_run_that_fails_behind_the_lock_gives_it_back(bench: Bench) -> None:
    other = replication_run(bench, "scheduled__0").workspace
    with other.lock(), pytest.raises(TransientError, match="the workspace is busy"):
        open_run(replication_run(bench))
    assert bench.ensembles.lock("newyork").holder() is None


def test_a_lock_that_cannot_be_given_back_does_not_hide_what_failed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise TransientError("ZooKeeper is gone")

    monkeypatch.setattr(open_module, "give_back", refuse)
    other = replication_run(bench, "scheduled__0").workspace
    with other.lock(), pytest.raises(TransientError, match="the workspace is busy"):
        open_run(replication_run(bench))
    assert caplog.messages == ["the lock could not be given back: ZooKeeper is gone."]


def test_a_run_that_was_opened_under_another_epoch_does_not_go_on(bench: Bench) -> None:
    run = replication_run(bench)
    run.save(open_run(run).model_copy(update={"epoch": 7}))
    with pytest.raises(FencingError, match="the run was opened under epoch 7, now it is 1"):
        open_run(replication_run(bench))
    assert bench.ensembles.lock("newyork").holder() is None


def test_the_lock_is_given_back_by_its_own_run_only(bench: Bench) -> None:
    open_run(replication_run(bench, "scheduled__1"))
    release(replication_run(bench, "scheduled__0"))
    assert bench.ensembles.lock("newyork").holder() is not None
    release(replication_run(bench, "scheduled__1"))
    assert bench.ensembles.lock("newyork").holder() is None
    release(replication_run(bench, "scheduled__1"))


def test_after_a_cutover_the_old_primary_is_what_is_replicated_to(bench: Bench) -> None:
    role = promoted(bench, state=RoleState.STEADY)
    for site in ("berlin", "newyork"):
        bench.ensembles.set_role(site, role)
    run = ReplicationRun(bench.access, bench.access.site("berlin"), "scheduled__9", ACTOR)
    record = open_run(run)
    assert (record.source, record.epoch) == ("newyork", 2)
    assert run.source.name == "newyork"
    assert bench.ensembles.lock("berlin").holder() is not None


def test_an_old_primary_that_was_not_told_is_no_target_and_no_active_site(bench: Bench) -> None:
    bench.ensembles.set_role("newyork", promoted(bench, state=RoleState.STEADY))
    run = ReplicationRun(bench.access, bench.access.site("berlin"), "scheduled__9", ACTOR)
    with pytest.raises(FencingError, match=r"berlin is active \(epoch 1\), that of newyork says newyork \(epoch 2\)"):
        open_run(run)
    bench.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(SiteIsActive):
        open_run(run)


def with_tokyo(bench: Bench) -> GroupAccess:
    """Return the group with a third site, whose registry says what it said at first."""
    tokyo = bench.access.site("newyork").config.model_copy(update={"zookeeper": ZooKeeper(conn_id="tokyo_zookeeper")})
    bench.ensembles.set_role("tokyo", bench.ensembles.role("newyork"))
    return bench.changed(sites={**bench.access.config.sites, "tokyo": tokyo})


@pytest.mark.parametrize("berlin_is_gone", [False, True])
def test_a_replica_that_was_away_during_a_cutover_is_told_and_follows(bench: Bench, *, berlin_is_gone: bool) -> None:
    access = with_tokyo(bench)
    role = promoted(bench, state=RoleState.STEADY)
    for site in ("berlin", "newyork"):
        bench.ensembles.set_role(site, role)
    if berlin_is_gone:
        bench.ensembles.down.add("berlin_zookeeper")
    source, epoch = active_source(access, access.site("tokyo"))
    assert (source.name, epoch) == ("newyork", 2)
    assert bench.ensembles.role("tokyo") == role


@pytest.mark.parametrize(
    "changes", [{"state": RoleState.PROMOTING}, {"fenced": "tokyo", "state": RoleState.STEADY}], ids=["early", "fenced"]
)
def test_a_replica_is_not_told_of_a_promotion_under_way_and_a_fenced_site_not_at_all(
    bench: Bench, changes: dict[str, Any]
) -> None:
    access = with_tokyo(bench)
    bench.ensembles.set_role("newyork", promoted(bench, **changes))
    bench.ensembles.down.add("berlin_zookeeper")
    before = bench.ensembles.role("tokyo")
    with pytest.raises(TransientError):
        active_source(access, access.site("tokyo"))
    assert bench.ensembles.role("tokyo") == before
