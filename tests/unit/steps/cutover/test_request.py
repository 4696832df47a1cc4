from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest

from incorta_provider.dr.epoch import Role, RoleState
from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.metadata_rules import ReplicaRules
from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.exceptions import (
    ConfigurationError,
    FencingError,
    IntegrityError,
    PreconditionError,
    TransientError,
)
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.readiness.finding import Finding, Severity
from incorta_provider.metadata.rights import Grant
from incorta_provider.services.ports import Port
from incorta_provider.steps import metadata_readiness
from incorta_provider.steps.cutover import request as request_module
from incorta_provider.steps.cutover.request import request_cutover
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.storage.catalog import DROPPED
from tests.builders.group import NOON, Bench, cutover_request, cutover_run, frozen_plan, promoting, sealed_point


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Return what is wrong with the target's database: nothing, unless a test adds to it."""
    problems: list[Finding] = []

    def found(endpoint: Endpoint, inventory: Inventory, now: datetime, *, source: str, mapping: None) -> list[Finding]:
        assert (endpoint.site, source, inventory.rows, now) == ("newyork", "berlin", 3, NOON)
        return problems

    monkeypatch.setattr(metadata_readiness, "restore_findings", found)
    monkeypatch.setattr(request_module, "ensure_alone", lambda endpoint: None)
    return problems


def finding(severity: Severity, reason: str) -> Finding:
    return Finding(severity, "collations", "newyork", reason, "Convert.")


@pytest.fixture
def ready(bench: Bench, database: list[Finding]) -> Bench:
    """Return a target that is in order and has one point."""
    sealed_point(bench.catalog, "scheduled__1")
    return bench


def untouched(bench: Bench) -> bool:
    """Tell whether nothing was changed at either site and nothing written about it."""
    roles = [bench.ensembles.role(site).epoch for site in ("berlin", "newyork")]
    return not (bench.catalog.root / "cutovers").exists() and roles == [1, 1] and bench.events() == []


def test_a_request_in_order_freezes_a_plan_for_the_newest_point(ready: Bench) -> None:
    newest = sealed_point(ready.catalog, "scheduled__2", opened_at=NOON - timedelta(minutes=1))
    plan = request_cutover(cutover_run(ready), cutover_request())
    assert plan.model_dump(exclude={"steps"}) == {
        "group": "acme",
        "run_id": "manual__1",
        "mode": Mode.UNPLANNED,
        "source": "berlin",
        "target": "newyork",
        "epoch": 1,
        "recovery_point": newest.id,
        "point_opened_at": newest.opened_at,
        "requested_by": "hana",
        "reason": "the data centre is on fire",
        "accept_unfenced": True,
        "requested_at": NOON,
        "created_at": NOON,
    }
    assert plan.steps[0].name is StepName.FENCE
    assert cutover_run(ready).folder.plan() == plan
    assert ready.last("cutover.requested") == {
        "plan_sha256": plan.sha256,
        "recovery_point": newest.id,
        "reason": "the data centre is on fire",
        "accept_unfenced": True,
        "mode": "unplanned",
    }


@pytest.mark.parametrize("what", ["locked", "lacks a right"])
def test_an_account_that_could_not_cut_the_replica_off_is_told_before_anything_is_fenced(
    what: str, ready: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = MagicMock()
    if what == "locked":
        channel.side_effect = PreconditionError("the account is locked", where="newyork", fix="Unlock it.")
    grant = Grant(("RELOAD",), "*.*")
    monkeypatch.setattr(request_module, "channel_at", channel)
    monkeypatch.setattr(request_module, "lacking_rights", lambda admin: ("'dr'@'%'", [grant]))
    run = cutover_run(ready)
    metadata = run.target.config.metadata.model_copy(update={"replica_conn_id": "newyork_replica"})
    target = replace(run.target, config=run.target.config.model_copy(update={"metadata": metadata}))
    rules = ready.access.config.metadata.model_copy(update={"replica": ReplicaRules()})
    told = {"locked": "metadata replica: the account is locked", "lacks a right": "run GRANT RELOAD ON"}[what]
    with pytest.raises(PreconditionError, match=told):
        request_cutover(replace(run, access=ready.changed(metadata=rules), target=target), cutover_request())
    assert untouched(ready)


def test_an_older_point_can_be_chosen(ready: Bench) -> None:
    (older,) = ready.catalog.points()
    sealed_point(ready.catalog, "scheduled__2", opened_at=NOON - timedelta(minutes=1))
    assert request_cutover(cutover_run(ready), cutover_request(recovery_point=older.id)).recovery_point == older.id


def test_a_point_from_before_the_target_was_active_itself_must_be_chosen_by_its_id(ready: Bench) -> None:
    """There and home again, and home is lost before the first run towards the other site: it has the old point only."""
    (old,) = ready.catalog.points()
    there = cutover_run(ready, "there")
    frozen_plan(ready, there)
    there.folder.record(StepName.PROMOTE, {"finished_at": (NOON - timedelta(minutes=1)).isoformat()})
    with pytest.raises(PreconditionError, match=f"{old.id} is from before newyork was active itself, by cutover there"):
        request_cutover(cutover_run(ready), cutover_request())
    assert request_cutover(cutover_run(ready), cutover_request(recovery_point=old.id)).recovery_point == old.id
    new = sealed_point(ready.catalog, "scheduled__2", opened_at=NOON - timedelta(seconds=30))
    assert request_cutover(cutover_run(ready, "m2"), cutover_request("m2")).recovery_point == new.id


def test_a_retried_task_keeps_the_plan_whatever_changed_since(ready: Bench, database: list[Finding]) -> None:
    first = request_cutover(cutover_run(ready), cutover_request())
    sealed_point(ready.catalog, "scheduled__2", opened_at=NOON - timedelta(minutes=1))
    database.append(finding(Severity.BLOCKER, "gone"))
    ready.ensembles.down.add("newyork_zookeeper")
    assert request_cutover(cutover_run(ready), cutover_request(reason="another")) == first
    assert ready.events() == ["cutover.requested"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"confirmation": ""}, "the confirmation must read 'PROMOTE newyork', not ''"),
        ({"confirmation": "PROMOTE berlin"}, "the confirmation must read 'PROMOTE newyork'"),
        ({"reason": " \t"}, "a reason is missing"),
        ({"requested_by": ""}, "it is not known who triggered the run"),
        ({"requested_at": NOON - timedelta(minutes=16)}, "the run waited 16 minutes in the queue"),
        ({"recovery_point": "20200101T000000Z-00000000"}, "there is no recovery point '20200101T000000Z-00000000'"),
        ({"recovery_point": "../../etc"}, "there is no recovery point '../../etc'"),
        ({"target": "berlin", "confirmation": "PROMOTE berlin"}, "berlin is the active site already"),
    ],
)
def test_a_request_that_is_not_in_order_changes_nothing(ready: Bench, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(PreconditionError, match=reason):
        request_cutover(cutover_run(ready), cutover_request(**changes))
    assert untouched(ready)


def test_everything_that_an_empty_form_lacks_is_named_at_once(ready: Bench) -> None:
    with pytest.raises(PreconditionError) as caught:
        request_cutover(cutover_run(ready), cutover_request(confirmation="", reason="", requested_by=""))
    for lacking in ("confirmation", "reason", "who triggered"):
        assert lacking in caught.value.what


def test_without_a_recovery_point_there_is_no_cutover(bench: Bench, database: list[Finding]) -> None:
    with pytest.raises(PreconditionError, match="there is no recovery point yet"):
        request_cutover(cutover_run(bench), cutover_request())
    assert untouched(bench)


def test_a_key_that_cannot_sign_is_found_before_anybody_is_asked(ready: Bench) -> None:
    ready.passwords["acme_approval"] = "short"
    with pytest.raises(ConfigurationError, match="signing key"):
        request_cutover(cutover_run(ready), cutover_request())
    assert untouched(ready)


@pytest.mark.parametrize("part", ["manifest_path", "dump_path", "inventory_path"])
def test_a_damaged_point_is_not_promised(ready: Bench, part: str) -> None:
    (point,) = ready.catalog.points()
    path = getattr(ready.catalog, part)(point.id)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="is not the file that was sealed"):
        request_cutover(cutover_run(ready), cutover_request())
    assert untouched(ready)


def test_everything_that_is_not_ready_is_named_at_once(ready: Bench, database: list[Finding]) -> None:
    ready.nodes.down.add("newyork_node1")
    ready.nodes.releases["newyork_node2"] = "2024.7.0"
    database.append(finding(Severity.BLOCKER, "the server has none"))
    with pytest.raises(PreconditionError) as caught:
        request_cutover(cutover_run(ready), cutover_request())
    assert caught.value.what.splitlines() == [
        "site newyork is not ready:",
        "  metadata database: collations: the server has none. Next: Convert.",
        "  node newyork_node1: the node cannot be reached [newyork_node1]. Next: Start its SSH server.",
        "  node newyork_node2: runs Incorta 2024.7.0, the recovery point was made by 2024.1.0",
    ]
    assert untouched(ready)


def test_a_run_id_that_was_used_before_is_refused(ready: Bench) -> None:
    request_cutover(cutover_run(ready), cutover_request())
    later = NOON + timedelta(days=3)
    with pytest.raises(PreconditionError, match=r"run id manual__1 was used before, .* at 2026-11-25 12:00:00 UTC"):
        request_cutover(cutover_run(ready), cutover_request(requested_at=later, created_at=later))


def test_what_runs_at_the_target_stands_in_the_plan(ready: Bench, caplog: pytest.LogCaptureFixture) -> None:
    ready.nodes.ports = {("newyork_node1", "loader"): Port.OPEN, ("newyork_node1", "cmc"): Port.OPEN}
    plan = request_cutover(cutover_run(ready), cutover_request())
    (step,) = [step for step in plan.steps if step.name is StepName.STOP_TARGET]
    assert step.actions == (
        "stop Incorta on newyork_node1, newyork_node2, prove it by closed ports",
        r"loader of newyork\_node1 runs now",
        r"cmc of newyork\_node1 runs now",
    )
    assert "Incorta runs at newyork and will be stopped: loader of newyork_node1, cmc of newyork_node1" in caplog.text


def test_a_port_that_neither_answers_nor_refuses_is_found_before_the_fence(ready: Bench) -> None:
    ready.nodes.ports = {("newyork_node2", "agent"): Port.UNKNOWN}
    with pytest.raises(PreconditionError, match="ports of the nodes: agent of newyork_node2: port is unknown"):
        request_cutover(cutover_run(ready), cutover_request())
    assert untouched(ready)


@pytest.mark.parametrize(
    ("absent", "finding"),
    [("newyork_cmc", "CMC"), ("newyork_analytics", "Analytics"), ("berlin_node2", "connections of the source")],
)
def test_connections_that_are_needed_behind_the_fence_are_asked_for_before(
    ready: Bench, absent: str, finding: str
) -> None:
    ready.absent.add(absent)
    with pytest.raises(PreconditionError, match=f"  {finding}: no connection '{absent}'"):
        request_cutover(cutover_run(ready), cutover_request())
    assert untouched(ready)


def test_what_a_restore_would_meet_is_found_before_the_fence(ready: Bench, database: list[Finding]) -> None:
    database += [finding(severity, severity.value) for severity in Severity]
    database.append(finding(Severity.BLOCKER, "another"))
    both = "  metadata database: collations: blocker. Next: Convert.; collations: another. Next: Convert.\n"
    with pytest.raises(PreconditionError) as caught:
        request_cutover(cutover_run(ready), cutover_request())
    assert both in f"{caught.value.what}\n"
    assert untouched(ready)


def test_a_server_that_only_we_may_write_to_is_found_before_the_fence(ready: Bench, database: list[Finding]) -> None:
    database.append(Finding(Severity.WARNING, "read_only", "newyork", "the server is read-only", "Switch it off."))
    with pytest.raises(
        PreconditionError, match=r"metadata database: read_only: the server is read-only\. Next: Switch"
    ):
        request_cutover(cutover_run(ready), cutover_request())
    assert untouched(ready)


def test_what_only_weakens_a_restore_stands_in_the_plan(ready: Bench, database: list[Finding]) -> None:
    database += [finding(Severity.WARNING, "another sql_mode"), finding(Severity.NOTE, "another time zone")]
    plan = request_cutover(cutover_run(ready), cutover_request())
    (step,) = (step for step in plan.steps if step.name is StepName.RESTORE)
    assert step.actions[2:] == (r"collations: another sql\_mode. Next: Convert.",)


def test_a_rewrite_rule_for_what_the_point_has_not_is_found_before_the_fence(ready: Bench) -> None:
    rules = [rule.model_copy(update={"column": "PATHS"}) for rule in ready.access.config.metadata.rewrite]
    metadata = ready.access.config.metadata.model_copy(update={"rewrite": tuple(rules)})
    run = cutover_run(ready)
    run = CutoverRun(ready.changed(metadata=metadata), run.target, run.run_id, run.actor)
    with pytest.raises(PreconditionError, match=r"rewrite rules: TENANT\.PATHS is not in the recovery point"):
        request_cutover(run, cutover_request())


def test_a_snapshot_that_names_the_source_is_found_before_the_fence(ready: Bench) -> None:
    place = ready.storage("newyork") / "acme" / "ddm"
    place.mkdir(parents=True)
    (place / "t.ddm").write_bytes(b"\x00mail.berlin.example")
    point = ready.catalog.newest()
    assert point is not None
    ready.catalog.set_live(point.id)
    with pytest.raises(PreconditionError, match=r"snapshot files: file acme/ddm/t\.ddm holds .* smtp_host"):
        request_cutover(cutover_run(ready), cutover_request())
    assert untouched(ready)


def test_a_missing_connection_is_one_finding_among_the_others(ready: Bench) -> None:
    ready.absent.add("newyork_metadata")
    ready.nodes.down.add("newyork_node1")
    with pytest.raises(PreconditionError) as caught:
        request_cutover(cutover_run(ready), cutover_request())
    assert [line.partition(":")[0] for line in caught.value.what.splitlines()[1:]] == [
        "  metadata database",
        "  node newyork_node1",
        "  foreign keys of other schemas",
    ]


def test_a_primary_that_is_gone_is_not_asked(ready: Bench) -> None:
    ready.ensembles.down.add("berlin_zookeeper")
    ready.nodes.down.update({"berlin_node1", "berlin_node2"})
    assert request_cutover(cutover_run(ready), cutover_request()).source == "berlin"


def test_a_registry_that_was_never_initialised_is_told(ready: Bench) -> None:
    ready.ensembles.session("newyork").nodes.clear()
    with pytest.raises(PreconditionError, match="the epoch registry is empty"):
        request_cutover(cutover_run(ready), cutover_request())


def test_a_target_that_is_active_already_is_told(ready: Bench) -> None:
    role = promoting(ready).model_copy(update={"state": RoleState.STEADY})
    ready.ensembles.set_role("newyork", role)
    with pytest.raises(PreconditionError, match=r"newyork is the active site already \(epoch 2\)"):
        request_cutover(cutover_run(ready, "manual__2"), cutover_request("manual__2"))


def test_a_cutover_that_was_left_half_done_is_taken_up_from_the_same_source(ready: Bench) -> None:
    promoting(ready, "manual__0")
    plan = request_cutover(cutover_run(ready), cutover_request())
    assert (plan.source, plan.epoch) == ("berlin", 2)


def test_a_cutover_to_another_site_that_is_under_way_is_not_disturbed(ready: Bench) -> None:
    role = promoting(ready, "manual__0").model_copy(update={"active": "tokyo"})
    ready.ensembles.set_role("newyork", role)
    with pytest.raises(FencingError, match="run manual__0 is promoting tokyo"):
        request_cutover(cutover_run(ready), cutover_request())


def test_a_site_that_is_ahead_forbids_the_cutover(ready: Bench) -> None:
    role = Role(
        group="acme", epoch=5, active="berlin", fenced="newyork", changed_by="omar", run_id="m4", changed_at=NOON
    )
    ready.ensembles.set_role("berlin", role)
    with pytest.raises(
        FencingError, match=r"the registry of berlin is at epoch 5 \(berlin active\), that of newyork at 1"
    ):
        request_cutover(cutover_run(ready), cutover_request())


def test_another_change_of_roles_under_the_same_epoch_forbids_the_cutover(ready: Bench) -> None:
    """Two cutovers that did not see each other: nobody knows which of them holds."""
    role = ready.ensembles.role("newyork").model_copy(update={"run_id": "m4"})
    ready.ensembles.set_role("berlin", role)
    with pytest.raises(FencingError, match=r"the registry of berlin is at epoch 1 \(berlin active\)"):
        request_cutover(cutover_run(ready), cutover_request())


def test_a_point_of_a_site_that_is_not_the_active_one_is_refused(bench: Bench, database: list[Finding]) -> None:
    point = sealed_point(bench.catalog, source="tokyo")
    with pytest.raises(PreconditionError, match=f"{point.id} is a state of tokyo, but berlin is the active site"):
        request_cutover(cutover_run(bench), cutover_request())
    assert untouched(bench)


def test_a_point_that_is_dropped_during_the_checks_is_not_promoted(
    ready: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (point,) = ready.catalog.points()
    record = ready.catalog.point_dir(point.id) / "point.json"
    monkeypatch.setattr(request_module, "rehearse", lambda run, found: [str(record.rename(record.with_name(DROPPED)))])
    run = cutover_run(ready)
    with pytest.raises(PreconditionError, match="there is no recovery point"):
        request_cutover(run, cutover_request())
    assert not run.folder.has_plan()


def test_a_plan_is_not_frozen_while_a_prune_decides(ready: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "rehearse", lambda run, found: [])
    run = cutover_run(ready)
    with ready.catalog.lock("apply"), pytest.raises(TransientError, match="the catalog's lock 'apply' is busy"):
        request_cutover(run, cutover_request())
    assert not run.folder.has_plan()
    assert request_cutover(run, cutover_request()).recovery_point == ready.catalog.points()[0].id
