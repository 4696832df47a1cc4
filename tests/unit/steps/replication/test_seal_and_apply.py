from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.epoch import promoting_role
from incorta_provider.dr.inventory import Difference, Inventory
from incorta_provider.dr.metadata_rules import EngineMapping, ReplicaRules
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import (
    FencingError,
    IntegrityError,
    LostWritesError,
    NothingToDo,
    PreconditionError,
    TransientError,
)
from incorta_provider.metadata.dump import DumpReport
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.readiness.finding import Finding, Severity
from incorta_provider.metadata.replica.point import ReplicaPair
from incorta_provider.steps import metadata_readiness
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.replication import dump as dump_module
from incorta_provider.steps.replication import protocol
from incorta_provider.steps.replication import prove as prove_module
from incorta_provider.steps.replication import run as run_module
from incorta_provider.steps.replication.apply import apply
from incorta_provider.steps.replication.check import check
from incorta_provider.steps.replication.copy import final_copy, pre_copy
from incorta_provider.steps.replication.dump import dump_metadata
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.protocol import replicate
from incorta_provider.steps.replication.prove import prove_dump
from incorta_provider.steps.replication.release import release
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.replication.seal import seal
from incorta_provider.storage import catalog as catalog_module
from incorta_provider.storage.flow import crew
from incorta_provider.storage.flow.watchdog import StalledError
from incorta_provider.storage.flow.watched import watched
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.volume import LocalVolume
from incorta_provider.storage.manifest.manifest_file import ManifestWriter
from tests.builders.disks import refuse_once
from tests.builders.group import ACTOR, NOON, Bench, digest, owner, replication_run, sealed_point, write_dump


@pytest.fixture
def ready(bench: Bench) -> ReplicationRun:
    """Return a run that passed everything in front of the seal."""
    return made_ready(bench)


def _at(run: ReplicationRun, position: str, gtid: str) -> None:
    found = Inventory.model_validate_json(run.workspace.inventory.read_bytes())
    run.workspace.inventory.write_text(found.model_copy(update={"position": position, "gtid": gtid}).model_dump_json())


def made_ready(
    bench: Bench, run_id: str = "scheduled__1", change: Callable[[ReplicationRun], None] = lambda run: None
) -> ReplicationRun:
    (bench.storage("berlin") / "notes.txt").write_text("twelve bytes")
    run = replication_run(bench, run_id)
    open_run(run)
    pre_copy(run)
    write_dump(run, TENANT=1, TABLE_FILE=41)
    change(run)
    final_copy(run)
    check(run)
    run.save_proof(proven=True)
    return run


def cut_over(bench: Bench) -> None:
    role = promoting_role(bench.ensembles.role("newyork"), "newyork", by="hana", run_id="m1", at=NOON)
    bench.ensembles.set_role("newyork", role)


def test_the_point_says_what_it_holds(bench: Bench, ready: ReplicationRun) -> None:
    bench.clock.go_on(12.5)
    manifest, dump = digest(ready.workspace.manifest), digest(ready.workspace.dump)
    inventory = digest(ready.workspace.inventory)
    point = seal(ready)
    assert point.model_dump(exclude={"id"}) == {
        "group": "acme",
        "source": "berlin",
        "target": "newyork",
        "epoch": 1,
        "run_id": "scheduled__1",
        "opened_at": NOON,
        "sealed_at": NOON + timedelta(seconds=12.5),
        "previous": None,
        "files": 1,
        "bytes": 12,
        "copied_files": 1,
        "copied_bytes": 12,
        "tables": 2,
        "rows": 42,
        "references": 0,
        "manifest_sha256": manifest,
        "dump_sha256": dump,
        "inventory_sha256": inventory,
        "position": "mariadb-bin.000001:4",
        "server_version": "11.8.2-MariaDB",
        "incorta_version": "2024.1.0",
        "exceptions": (),
    }
    assert bench.catalog.newest() == point


class TestSourceThatWentBack:
    """A database that was restored from a backup is behind the previous recovery point,  and the next point says so."""

    def sealed(self, bench: Bench, position: str, at: str = "", **before: Any) -> RecoveryPoint:
        earlier = sealed_point(bench.catalog, "scheduled__0", opened_at=NOON - timedelta(minutes=5), **before)
        run = made_ready(bench, change=lambda run: _at(run, position, at))
        point = seal(run)
        assert point.previous == earlier.id
        return point

    def test_by_its_log(self, bench: Bench) -> None:
        point = self.sealed(bench, "mariadb-bin.000001:3")
        assert [told.partition(f"{point.previous}: ")[2] for told in point.exceptions] == [
            "its binary log is at mariadb-bin.000001:3, and was at mariadb-bin.000001:4"
        ]

    def test_by_its_transactions(self, bench: Bench) -> None:
        point = self.sealed(bench, "mariadb-bin.000009:3", "0-1-50", gtid="0-1-57")
        (told,) = point.exceptions
        assert told.startswith("the database of berlin is behind the previous recovery point, ")
        assert told.endswith("7 transaction(s) of 0-1-57 are not in 0-1-50")

    def test_a_position_that_nobody_understands_holds_up_nothing(self, bench: Bench) -> None:
        tagged = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-50:tag:1-3"  # MySQL 8.3 and newer
        assert self.sealed(bench, "mariadb-bin.000001:9", tagged, gtid=tagged).exceptions == ()

    @pytest.mark.parametrize("changed", [{"source": "paris"}, {"epoch": 0}])
    def test_only_of_the_same_source_in_the_same_role(self, bench: Bench, changed: dict[str, Any]) -> None:
        assert self.sealed(bench, "mariadb-bin.000001:3", **changed).exceptions == ()

    def test_a_damaged_point_before_holds_up_nothing(self, bench: Bench) -> None:
        assert self.sealed(bench, "mariadb-bin.000001:3", inventory_sha256="0" * 64).exceptions == ()


def test_the_ledger_keeps_the_evidence_once(bench: Bench, ready: ReplicationRun) -> None:
    point = seal(ready)
    bench.clock.go_on(60)
    assert seal(replication_run(bench)) == point
    (line,) = bench.access.site("newyork").ledger.entries()
    assert (line.event, line.run_id, line.actor) == ("point.sealed", "scheduled__1", ACTOR)
    assert line.details == {
        "point": point.id,
        "manifest_sha256": point.manifest_sha256,
        "dump_sha256": point.dump_sha256,
        "inventory_sha256": point.inventory_sha256,
        "files": 1,
        "bytes": 12,
        "tables": 2,
        "rows": 42,
        "position": "mariadb-bin.000001:4",
        "epoch": 1,
    }


def test_a_kill_between_seal_and_ledger_is_mended_by_the_next_try(bench: Bench, ready: ReplicationRun) -> None:
    point = seal(ready)
    (bench.catalog.root / "ledger.jsonl").unlink()
    seal(replication_run(bench))
    assert bench.events() == ["point.sealed"]
    assert bench.last("point.sealed")["point"] == point.id


def test_what_was_not_checked_is_not_sealed(bench: Bench, ready: ReplicationRun) -> None:
    ready.save_check(None)
    with pytest.raises(PreconditionError, match="the check has not been passed"):
        seal(ready)
    assert bench.catalog.points() == []
    assert bench.events() == ["point.void"]


def test_what_was_not_proven_is_not_sealed_however_its_task_was_marked(bench: Bench) -> None:
    run = made_ready(bench)
    run.save_proof(proven=False)
    with pytest.raises(PreconditionError, match="the dump has not been proven"):
        seal(run)
    assert bench.catalog.points() == []


def test_a_late_pre_copy_withdraws_what_was_checked_and_the_next_copy_makes_it_good(
    bench: Bench, ready: ReplicationRun
) -> None:
    """Its task was cleared alone, or its worker was taken for dead: it replaces files that were checked."""
    (bench.storage("berlin") / "notes.txt").write_text("thirteen bytes")
    pre_copy(replication_run(bench))
    with pytest.raises(PreconditionError, match="the dump has not been proven"):
        seal(ready)
    ready.save_proof(proven=True)
    with pytest.raises(PreconditionError, match="the check has not been passed"):
        seal(ready)
    assert not ready.workspace.manifest.exists()
    final_copy(ready)
    check(ready)
    ready.save_proof(proven=True)
    assert seal(ready).bytes == 14
    assert apply(ready).moved == 1
    assert (bench.storage("newyork") / "notes.txt").read_text() == "thirteen bytes"


@pytest.mark.parametrize("step", [dump_metadata, check, prove_dump, seal])
def test_no_step_works_in_a_workspace_that_another_task_is_in(
    bench: Bench, ready: ReplicationRun, step: Callable[[ReplicationRun], object]
) -> None:
    with ready.workspace.lock(), pytest.raises(TransientError, match="the workspace is busy"):
        step(replication_run(bench))
    assert bench.events() == []
    assert seal(ready).files == 1


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("manifest", "the check was of another manifest or inventory"),
        ("inventory", "the check was of another manifest or inventory"),
        ("dump", "the proof was of another dump or inventory"),
    ],
)
def test_only_what_was_checked_and_proven_is_sealed(bench: Bench, ready: ReplicationRun, part: str, fault: str) -> None:
    other = replication_run(bench, "elsewhere")
    write_dump(other, OTHER=2)
    with ManifestWriter(other.workspace.manifest):
        pass
    other.workspace.dump.write_bytes(b"another dump")
    before = getattr(ready.workspace, part).read_bytes()
    getattr(ready.workspace, part).write_bytes(getattr(other.workspace, part).read_bytes())
    with pytest.raises(PreconditionError, match=fault):
        seal(ready)
    assert bench.catalog.points() == []
    getattr(ready.workspace, part).write_bytes(before)
    assert seal(ready).bytes == 12


@pytest.mark.parametrize("text", ["twelve other", "more than twelve"])
def test_a_staged_file_that_was_replaced_behind_the_check_is_not_sealed(
    bench: Bench, ready: ReplicationRun, text: str
) -> None:
    (ready.workspace.files / "notes.txt").write_text(text)
    with pytest.raises(IntegrityError, match=r"1 staged file.s. were replaced .* the first is notes.txt"):
        seal(ready)
    (ready.workspace.files / "notes.txt").unlink()
    with pytest.raises(IntegrityError, match=r"the first is notes\.txt"):
        seal(ready)
    assert bench.catalog.points() == []


def test_a_dump_that_was_made_again_needs_a_copy_a_check_and_a_proof_behind_it(
    bench: Bench, ready: ReplicationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(_: Endpoint, folder: Path, *rules: object, node: ConnectionInfo | None) -> DumpReport:
        assert rules == (("SELECT PATH AS path FROM TABLE_FILE",), {})
        assert node is None
        write_dump(ready)
        return DumpReport("mariadb-bin.000001:9", 1, 1, 6, "00" * 32, 0, 0.1, 1)

    monkeypatch.setattr(dump_module, "dump", take)
    dump_metadata(ready)
    assert not ready.workspace.manifest.exists()
    with pytest.raises(IntegrityError, match="manifest"):
        check(ready)
    with pytest.raises(PreconditionError):
        seal(ready)
    final_copy(ready)
    check(ready)
    with pytest.raises(PreconditionError, match="the dump has not been proven"):
        seal(ready)
    ready.save_proof(proven=True)
    assert seal(ready).rows == 1


@pytest.mark.parametrize("reason", ["", "the replica cannot be used: it is not connected"])
def test_a_replica_gives_the_dump_and_one_that_cannot_holds_nothing_up(
    reason: str, bench: Bench, ready: ReplicationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = DumpReport("mariadb-bin.000001:9", 1, 1, 6, "00" * 32, 0, 0.1, 1)
    made = []

    def at_replica(pair: ReplicaPair, folder: Path, references: tuple[str, ...], *, wait_seconds: float) -> DumpReport:
        assert (pair.source.site, pair.replica.site, wait_seconds) == ("berlin", "newyork", 300)
        made.append("replica")
        if reason:
            raise TransientError(reason, where="newyork")
        return report

    monkeypatch.setattr(dump_module, "dump_at_replica", at_replica)
    monkeypatch.setattr(dump_module, "dump", lambda *_, **__: made.append("source") or report)
    monkeypatch.setattr(SiteAccess, "replica_account", property(lambda site: site.database))
    rules = bench.access.config.metadata.model_copy(update={"replica": ReplicaRules()})
    run = replace(ready, access=bench.changed(metadata=rules))
    assert dump_metadata(run) is report
    assert made == (["replica", "source"] if reason else ["replica"])
    if reason:
        assert reason in bench.last("metadata.replica.unusable")["reason"]


def test_a_dump_is_made_where_the_topology_says(
    bench: Bench, ready: ReplicationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = {"dump_conn_id": "berlin_member", "dump_node": "berlin_node2"}
    site = ready.source.config
    config = site.model_copy(update={"metadata": site.metadata.model_copy(update=metadata)})
    told: list[object] = []

    def take(endpoint: Endpoint, *_: object, node: ConnectionInfo | None) -> DumpReport:
        told.append((endpoint.password, node and node.conn_id))
        return DumpReport("mariadb-bin.000001:9", 1, 1, 6, "00" * 32, 0, 0.1, 1)

    bench.passwords["berlin_member"] = "of the member"
    monkeypatch.setattr(dump_module, "catch_up", lambda primary, member: told.append((primary.site, member.site)))
    monkeypatch.setattr(dump_module, "dump", take)
    sites = {**bench.access.config.sites, "berlin": config}
    dump_metadata(replace(ready, access=bench.changed(sites=sites)))
    assert told == [("berlin", "berlin"), ("of the member", "berlin_node2")]


def test_a_cutover_meanwhile_forbids_the_seal(bench: Bench, ready: ReplicationRun) -> None:
    cut_over(bench)
    with pytest.raises(FencingError, match="began under epoch 1 with berlin active"):
        seal(ready)
    assert bench.catalog.points() == []
    assert bench.last("point.void")["error"] == "FencingError"


def test_a_run_whose_lock_another_run_took_over_seals_nothing(bench: Bench, ready: ReplicationRun) -> None:
    bench.ensembles.lock("newyork").take_over(owner("scheduled__2"), expected="scheduled__1")
    with pytest.raises(TransientError, match="the lock is held by run scheduled__2"):
        seal(ready)
    assert bench.catalog.points() == []


def test_a_seal_that_is_cleared_alone_takes_its_lock_again(bench: Bench, ready: ReplicationRun) -> None:
    release(ready)
    seal(ready)
    holder = bench.ensembles.lock("newyork").holder()
    assert holder is not None
    assert holder.run_id == "scheduled__1"


def test_a_workspace_that_was_thrown_away_under_a_seal_leaves_no_bare_record(
    bench: Bench, ready: ReplicationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What removes it does not know of our lock: a person, by hand."""
    monkeypatch.setattr(
        catalog_module, "_ensure_complete", lambda workspace: workspace.root.rename(bench.root / "gone")
    )
    with pytest.raises(TransientError, match="No such file"):
        seal(ready)
    assert bench.catalog.points() == []
    assert not ready.workspace.root.exists()


def test_a_registry_that_does_not_answer_puts_the_seal_off(bench: Bench, ready: ReplicationRun) -> None:
    bench.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(TransientError):
        seal(ready)
    bench.ensembles.down.clear()
    assert seal(ready).run_id == "scheduled__1"
    assert bench.events() == ["point.sealed"]


def test_a_damaged_inventory_is_not_sealed(bench: Bench, ready: ReplicationRun) -> None:
    ready.workspace.inventory.write_text("{}")
    with pytest.raises(IntegrityError, match="the inventory cannot be read"):
        seal(ready)
    assert bench.catalog.points() == []


def test_the_replica_becomes_the_sealed_point(bench: Bench, ready: ReplicationRun) -> None:
    point = seal(ready)
    report = apply(ready)
    assert (report.moved, report.removed, report.kept) == (1, 0, 0)
    assert (bench.storage("newyork") / "notes.txt").read_text() == "twelve bytes"
    assert bench.catalog.live_point_id() == point.id
    again = apply(replication_run(bench))
    assert (again.moved, again.removed, again.kept) == (0, 0, 1)


def test_nothing_is_applied_before_the_seal(bench: Bench, ready: ReplicationRun) -> None:
    with pytest.raises(PreconditionError, match="run scheduled__1 sealed no point"):
        apply(ready)
    assert list(bench.storage("newyork").iterdir()) == []


def test_a_point_that_was_overtaken_is_not_applied(bench: Bench, ready: ReplicationRun) -> None:
    seal(ready)
    newer = sealed_point(bench.catalog, "scheduled__2", opened_at=NOON + timedelta(minutes=1))
    with pytest.raises(NothingToDo, match=f"was overtaken by {newer.id}"):
        apply(ready)
    assert bench.catalog.live_point_id() is None


def test_a_cutover_meanwhile_forbids_the_apply_and_the_point_stays_good(bench: Bench, ready: ReplicationRun) -> None:
    point = seal(ready)
    cut_over(bench)
    with pytest.raises(FencingError):
        apply(ready)
    assert list(bench.storage("newyork").iterdir()) == []
    assert bench.events() == ["point.sealed", "point.step.failed"]
    assert bench.catalog.newest() == point


def test_an_apply_that_is_under_way_is_waited_for(bench: Bench, ready: ReplicationRun) -> None:
    seal(ready)
    with bench.catalog.lock("apply"), pytest.raises(TransientError, match="busy"):
        apply(ready)
    assert bench.events() == ["point.sealed"]


class TestProof:
    @pytest.fixture
    def found(self, monkeypatch: pytest.MonkeyPatch) -> list[Difference]:
        """Return the differences that a proof shall find; the database is not asked."""
        differences: list[Difference] = []

        def prove(
            endpoint: Endpoint,
            dump: Path,
            inventory: Path,
            *,
            scratch_key: str,
            source: Endpoint,
            mapping: EngineMapping | None,
        ) -> list[Difference]:
            assert (endpoint.site, scratch_key, mapping) == ("newyork", "20261125T120000Z-55d41569", None)
            assert source.site == "berlin"
            assert dump.read_bytes() == b"a dump"
            Inventory.model_validate_json(inventory.read_bytes())
            return differences

        monkeypatch.setattr(prove_module, "prove", prove)
        monkeypatch.setattr(metadata_readiness, "restore_findings", lambda *_, **__: [])
        return differences

    def test_a_dump_without_a_difference_is_proven(self, bench: Bench, found: list[Difference]) -> None:
        run = made_ready(bench)
        run.save_proof(proven=False)
        prove_dump(run)
        run.proven()

    def test_differences_are_named_and_leave_the_run_unproven(self, bench: Bench, found: list[Difference]) -> None:
        run = made_ready(bench)
        run.save_proof(proven=False)
        found += [Difference("table `t`", "rows", str(number), "0") for number in range(1, 26)]
        with pytest.raises(IntegrityError) as caught:
            prove_dump(run)
        assert caught.value.what.startswith(
            "the restored dump differs from the source in 25 place(s):\n  table `t`: rows: expected 1, found 0\n"
        )
        assert caught.value.what.count("\n") == 20
        with pytest.raises(PreconditionError, match="the dump has not been proven"):
            run.proven()

    def test_a_proof_that_held_once_holds_no_more_when_the_next_fails(
        self, bench: Bench, found: list[Difference]
    ) -> None:
        run = made_ready(bench)
        prove_dump(run)
        found.append(Difference("table `t`", "rows", "1", "0"))
        with pytest.raises(IntegrityError):
            prove_dump(run)
        with pytest.raises(PreconditionError, match="the dump has not been proven"):
            run.proven()

    def test_what_the_target_lacks_is_named_before_anything_is_loaded(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        lacking = Finding(Severity.BLOCKER, "collations", "newyork", "the DR server has no collation x", "Convert.")
        weak = Finding(Severity.WARNING, "sql_mode", "newyork", "another one")
        judged: list[tuple[str, str]] = []

        def findings(
            endpoint: Endpoint, inventory: Inventory, now: datetime, *, source: str, mapping: None
        ) -> list[Finding]:
            judged.append((endpoint.site, source))
            return [lacking, weak]

        monkeypatch.setattr(metadata_readiness, "restore_findings", findings)
        monkeypatch.setattr(prove_module, "prove", lambda *_, **__: pytest.fail("it was loaded"))
        run = made_ready(bench)
        with pytest.raises(PreconditionError) as caught:
            prove_dump(run)
        assert caught.value.what == f"the metadata cannot be restored:\n  {lacking}"
        warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert warnings == ["newyork: sql_mode: another one."]
        assert judged == [("newyork", "berlin")]
        with pytest.raises(PreconditionError, match="the dump has not been proven"):
            run.proven()

    def test_without_a_dump_there_is_nothing_to_prove(self, bench: Bench, found: list[Difference]) -> None:
        run = replication_run(bench)
        open_run(run)
        with pytest.raises(PreconditionError, match="the metadata have not been dumped"):
            prove_dump(run)


class TestProtocol:
    STEPS = ("open_run", "pre_copy", "dump_metadata", "final_copy", "check", "prove_dump", "seal", "apply", "release")

    @pytest.fixture
    def taken(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Return which steps were taken; none of them does anything."""
        taken: list[str] = []
        for name in self.STEPS:
            monkeypatch.setattr(protocol, name, lambda _, name=name: taken.append(name))
        return taken

    def test_the_steps_are_taken_in_their_order(self, bench: Bench, taken: list[str]) -> None:
        replicate(replication_run(bench))
        assert taken == list(self.STEPS)

    @pytest.mark.parametrize("failing", STEPS[:-1])
    def test_the_lock_is_given_back_whatever_fails(
        self, bench: Bench, taken: list[str], monkeypatch: pytest.MonkeyPatch, failing: str
    ) -> None:
        def fail(_: ReplicationRun) -> None:
            raise IntegrityError(failing)

        monkeypatch.setattr(protocol, failing, fail)
        with pytest.raises(IntegrityError, match=failing):
            replicate(replication_run(bench))
        assert taken == [*self.STEPS[: self.STEPS.index(failing)], "release"]


def test_the_apply_is_of_the_own_point(bench: Bench, ready: ReplicationRun, monkeypatch: pytest.MonkeyPatch) -> None:
    point, asked = seal(ready), []
    monkeypatch.setattr(LocalTarget, "apply", lambda target, point_id: asked.append((target.label, point_id)))
    apply(ready)
    assert asked == [(str(bench.storage("newyork")), point.id)]


class TestWhatHangs:
    """A seal or an apply that hangs is left behind, and keeps its lock: nobody works beside it when it wakes up."""

    patience = 600.0

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Wait a second for what hangs, and for what does not as long as a busy disk takes."""
        monkeypatch.setattr(crew, "TICK_SECONDS", 0.005)
        monkeypatch.setattr(
            run_module, "watched", lambda work, what, _, label: watched(work, what, seconds=self.patience, label=label)
        )

    def test_an_apply(self, ready: ReplicationRun, monkeypatch: pytest.MonkeyPatch) -> None:
        point = seal(ready)
        wakes = self.hangs(monkeypatch, LocalVolume, "sync")
        with pytest.raises(StalledError, match="the apply"):
            apply(ready)
        with pytest.raises(TransientError, match="is busy"), ready.catalog.lock("apply"):
            pass
        self.wake(wakes, lambda: ready.catalog.lock("apply"))
        assert ready.catalog.live_point_id() is None, "it ended before it said so"
        apply(ready)
        assert ready.catalog.live_point_id() == point.id

    def test_a_seal(self, ready: ReplicationRun, monkeypatch: pytest.MonkeyPatch) -> None:
        wakes = self.hangs(monkeypatch, LocalTarget, "flush")
        with pytest.raises(StalledError, match="the seal"):
            seal(ready)
        with pytest.raises(TransientError, match="is busy"):
            seal(ready)
        self.wake(wakes, ready.workspace.lock)
        assert ready.sealed() is None
        assert seal(ready) == ready.sealed()

    def hangs(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> threading.Event:
        wakes, original = threading.Event(), getattr(owner, name)

        def hang(*arguments: Any) -> None:
            wakes.wait()
            original(*arguments)

        monkeypatch.setattr(owner, name, hang)
        self.patience = 1.0
        return wakes

    def wake(self, wakes: threading.Event, lock: Callable[[], AbstractContextManager[None]]) -> None:
        self.patience = 600.0
        wakes.set()
        deadline = time.monotonic() + 60
        while True:
            try:
                with lock():
                    return
            except TransientError:
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_what_a_disk_refused_is_not_sealed_by_trying_again(
    ready: ReplicationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_once(monkeypatch)
    with pytest.raises(LostWritesError):
        seal(ready)
    with pytest.raises(IntegrityError, match="refused a part"):
        seal(ready)
    assert ready.catalog.points() == []
    pre_copy(ready)
    final_copy(ready)
    check(ready)
    ready.save_proof(proven=True)
    assert seal(ready).copied_files == 1
