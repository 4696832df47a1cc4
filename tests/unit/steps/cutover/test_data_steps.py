"""Apply, restore, rewrite and compare: real files; what a database would say is written down."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import Difference, Inventory
from incorta_provider.dr.metadata_rules import AllowedColumn, EngineMapping, ReplicaRules, ScanRules
from incorta_provider.dr.plan import StepName
from incorta_provider.dr.rewriting import CellChange, Rewriting
from incorta_provider.dr.schema_switch import Stage, Switch
from incorta_provider.exceptions import IntegrityError, PreconditionError, TransientError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.rewrite import Replace, Rule
from incorta_provider.metadata.scan import Finding
from incorta_provider.metadata.switch_journal import read_switch, write_switch
from incorta_provider.steps import metadata_scan as scan_module
from incorta_provider.steps.cutover import restore as restore_module
from incorta_provider.steps.cutover import rewrite as rewrite_module
from incorta_provider.steps.cutover.apply import apply
from incorta_provider.steps.cutover.compare import compare
from incorta_provider.steps.cutover.restore import restore
from incorta_provider.steps.cutover.rewrite import rewrite_metadata
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.records.rewritings import Rewritings
from tests.builders.group import Bench, cutover_run, done_before, frozen_plan, replication_run
from tests.builders.sealing import sealed

DONE = Rewriting(
    changes=(
        CellChange(
            table="TENANT",
            column="PATH",
            key={"NAME": "acme"},
            keyed=True,
            binary=False,
            before="/mnt/berlin/Tenants/acme",
            after="/mnt/newyork/Tenants/acme",
        ),
    )
)
FILES = {b"notes.txt": b"twelve bytes", b"source/a": b"aaaa", b"source/caf\xe9\n": b"a hostile name"}


@pytest.fixture
def point(bench: Bench) -> str:
    """Seal a point of some files, not applied, and return its id."""
    root = bench.storage("berlin")
    (root / "source").mkdir()
    for name, content in FILES.items():
        (root / os.fsdecode(name)).write_bytes(content)
    run = replication_run(bench)
    return sealed(run, TENANT=1, TABLE_FILE=41).id


def at_step(bench: Bench, step: StepName) -> CutoverRun:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    return run


def applied(bench: Bench) -> CutoverRun:
    apply(at_step(bench, StepName.APPLY))
    run = cutover_run(bench)
    for step in (StepName.RESTORE, StepName.REWRITE):
        run.folder.record(step, {"finished_at": bench.clock.now.isoformat()})
    return run


class TestApply:
    def test_the_replica_becomes_the_point(self, bench: Bench, point: str) -> None:
        result = apply(at_step(bench, StepName.APPLY))
        assert {name: result[name] for name in ("moved", "removed", "kept")} == {"moved": 3, "removed": 0, "kept": 0}
        root = bench.storage("newyork")
        assert {name: (root / os.fsdecode(name)).read_bytes() for name in FILES} == FILES
        assert bench.catalog.live_point_id() == point

    def test_a_replication_that_still_applies_is_waited_for(self, bench: Bench, point: str) -> None:
        run = at_step(bench, StepName.APPLY)
        with bench.catalog.lock("apply"), pytest.raises(TransientError, match="busy"):
            apply(run)
        assert StepName.APPLY not in run.folder.done()
        assert apply(run)["moved"] == 3

    def test_a_point_that_was_removed_meanwhile_is_told(self, bench: Bench, point: str) -> None:
        run = at_step(bench, StepName.APPLY)
        bench.catalog.point_dir(point).rename(bench.root / "away")
        with pytest.raises(PreconditionError, match="there is no recovery point"):
            apply(run)


class TestCompare:
    def test_an_equal_replica_passes_with_its_numbers(self, bench: Bench, point: str) -> None:
        result = compare(applied(bench))
        size = sum(map(len, FILES.values()))
        assert {name: result[name] for name in ("files", "bytes", "equal")} == {
            "files": 3,
            "bytes": size,
            "equal": True,
        }

    def test_what_does_not_belong_there_goes_to_the_history_and_lost_files_come_from_it(
        self, bench: Bench, point: str
    ) -> None:
        run, root = applied(bench), bench.storage("newyork")
        kept = bench.catalog.history / "elsewhere" / "files" / "source"
        kept.mkdir(parents=True)
        (kept.parent / "notes.txt").write_bytes(FILES[b"notes.txt"])
        (kept / os.fsdecode(b"caf\xe9\n")).write_bytes(FILES[b"source/caf\xe9\n"])
        (root / "notes.txt").unlink()
        (root / os.fsdecode(b"source/caf\xe9\n")).write_bytes(b"a h0stile name")
        (root / "by hand").write_text("somebody was here")
        result = compare(run)
        assert result["repaired"] == ["missing: notes.txt", r"different: source/caf\xe9\n", "unexpected: by hand"]
        assert (result["files"], result["equal"]) == (3, True)
        assert {name: (root / os.fsdecode(name)).read_bytes() for name in FILES} == FILES
        assert not (root / "by hand").exists()
        (moved,) = bench.catalog.history.glob("*/files/by hand")
        assert moved.read_text() == "somebody was here"
        assert bench.catalog.live_point_id() == point

    def test_a_file_that_was_only_touched_stays_as_it_is(self, bench: Bench, point: str) -> None:
        run, root = applied(bench), bench.storage("newyork")
        os.utime(root / "notes.txt", ns=(1, 1))
        (root / "source" / "a").chmod(0o600)
        inode = (root / "notes.txt").stat().st_ino
        assert compare(run)["repaired"] == ["different: source/a"]
        assert (root / "notes.txt").stat().st_ino == inode
        assert (root / "source" / "a").stat().st_mode & 0o777 == 0o644

    def test_bytes_that_rot_without_a_trace_are_found_and_where_they_are_nowhere_else_nothing_starts(
        self, bench: Bench, point: str
    ) -> None:
        run, path = applied(bench), bench.storage("newyork") / "source" / "a"
        facts = path.stat()
        path.write_bytes(b"aaab")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        with pytest.raises(IntegrityError, match=r"1 file\(s\) of the recovery point are nowhere .*\n  source/a"):
            compare(run)
        assert StepName.COMPARE not in run.folder.done()

    def test_what_changes_again_after_the_repair_is_counted_and_the_first_are_listed(
        self, bench: Bench, point: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = applied(bench)
        for number in range(30):
            (bench.storage("newyork") / f"extra{number:02}").touch()
        monkeypatch.setattr(LocalTarget, "apply", lambda *args, **kwargs: None)
        with pytest.raises(IntegrityError) as caught:
            compare(run)
        assert caught.value.what.startswith("the replica differs from the recovery point in 30 file(s):")
        assert caught.value.what.count("\n") == 20

    def test_a_replication_that_still_applies_is_waited_for_before_the_repair(self, bench: Bench, point: str) -> None:
        run = applied(bench)
        (bench.storage("newyork") / "by hand").touch()
        with bench.catalog.lock("apply"), pytest.raises(TransientError, match="busy"):
            compare(run)
        assert compare(run)["repaired"] == ["unexpected: by hand"]


class TestRestore:
    @pytest.fixture
    def found(self, monkeypatch: pytest.MonkeyPatch, bench: Bench) -> list[Difference]:
        """Return the differences that a restore shall show."""
        differences: list[Difference] = []

        def replaced(
            endpoint: Endpoint,
            dump: Path,
            inventory: Inventory,
            folder: Path,
            *,
            sha256: str,
            source: Endpoint | None,
        ) -> list[Difference]:
            assert (source.site if source else None) == (None if "berlin_metadata" in bench.absent else "berlin")
            point = bench.catalog.newest()
            assert point is not None
            assert (endpoint.site, endpoint.schema) == ("newyork", "incorta")
            assert (dump, sha256) == (bench.catalog.dump_path(point.id), point.dump_sha256)
            assert inventory.rows == 42
            assert folder == cutover_run(bench).folder.root / "schema-switch"
            previous = Switch(
                stage=Stage.SWITCHED,
                live="incorta",
                next="_dr_beside_1_next",
                previous="_dr_beside_1_previous",
                sha256=sha256,
                window_seconds=0.25,
            )
            write_switch(folder, previous)
            return differences

        def carried(endpoint: Endpoint, inventory: Inventory, mapping: EngineMapping | None) -> Inventory:
            assert (endpoint.site, mapping) == ("newyork", None)
            return inventory

        monkeypatch.setattr(restore_module, "replace_schema", replaced)
        monkeypatch.setattr(restore_module, "carried", carried)
        return differences

    def test_equal_metadata_pass_with_their_numbers(self, bench: Bench, point: str, found: list[Difference]) -> None:
        result = restore(at_step(bench, StepName.RESTORE))
        assert {name: result[name] for name in ("tables", "rows", "equal")} == {"tables": 2, "rows": 42, "equal": True}
        assert (result["window_seconds"], result["previous_schema"]) == (0.25, "_dr_beside_1_previous")

    @pytest.mark.parametrize("is_point", [True, False])
    def test_a_replica_is_cut_off_first_and_taken_over_when_it_is_the_point(
        self,
        is_point: bool,
        bench: Bench,
        point: str,
        found: list[Difference],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked = []

        def take_over(target: Endpoint, admin: Endpoint, inventory: Inventory) -> bool:
            asked.append((target.site, admin.site, inventory.rows))
            return is_point

        monkeypatch.setattr(restore_module, "take_over", take_over)
        rules = bench.access.config.metadata.model_copy(update={"replica": ReplicaRules()})
        run = at_step(bench, StepName.RESTORE)
        site = run.target.config
        metadata = site.metadata.model_copy(update={"replica_conn_id": "newyork_replica"})
        target = replace(run.target, config=site.model_copy(update={"metadata": metadata}))
        result = restore(replace(run, access=bench.changed(metadata=rules), target=target))
        assert asked == [("newyork", "newyork", 42)]
        assert (result["rows"], result["equal"], result.get("way")) == (42, True, "replica" if is_point else None)
        assert (read_switch(run.folder.schema_switch) is None) == is_point

    def test_a_source_whose_connection_is_gone_holds_nothing_up(
        self, bench: Bench, point: str, found: list[Difference]
    ) -> None:
        bench.absent.add("berlin_metadata")
        assert restore(at_step(bench, StepName.RESTORE))["equal"]

    def test_a_difference_stops_the_cutover(self, bench: Bench, point: str, found: list[Difference]) -> None:
        run = at_step(bench, StepName.RESTORE)
        found += [Difference(f"table `t{number}`", "rows", "1", "0") for number in range(25)]
        with pytest.raises(IntegrityError) as caught:
            restore(run)
        assert caught.value.what.startswith(
            "the restored metadata differ from the recovery point in 25 place(s):\n  table `t0`: rows: expected 1"
        )
        assert caught.value.what.count("\n") == 20
        assert StepName.RESTORE not in run.folder.done()
        assert bench.last("cutover.step.failed")["step"] == "restore_metadata"

    def test_a_damaged_inventory_is_found_before_the_schema_is_touched(
        self, bench: Bench, point: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = at_step(bench, StepName.RESTORE)
        path = bench.catalog.inventory_path(point)
        path.write_text(path.read_text() + " ")
        monkeypatch.delattr(restore_module, "replace_schema")
        with pytest.raises(IntegrityError, match="is not the file that was sealed"):
            restore(run)


class TestRewrite:
    @pytest.fixture
    def database(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Return what the database was asked for; a test may add what a scan finds."""
        asked: dict[str, Any] = {"findings": []}

        def rewrite(endpoint: Endpoint, rules: list[Rule], *, keep: Callable[[Rewriting], None]) -> Rewriting:
            asked["rules"] = rules
            keep(DONE)
            return DONE

        def scan(endpoint: Endpoint, needles: Mapping[str, str], **options: Any) -> object:
            assert endpoint.site == "newyork"
            asked.update(needles=dict(needles), own=sorted(options["own"]), allowed=options["allowed"])
            return list(asked["findings"])

        monkeypatch.setattr(rewrite_module, "rewrite", rewrite)
        monkeypatch.setattr(scan_module, "scan", scan)
        return asked

    def test_the_source_s_values_become_the_target_s(self, bench: Bench, point: str, database: dict[str, Any]) -> None:
        result = rewrite_metadata(at_step(bench, StepName.REWRITE))
        assert database["rules"] == [Replace("TENANT", "PATH", "/mnt/berlin/Tenants", "/mnt/newyork/Tenants")]
        assert database["needles"] == {"tenants_path": "/mnt/berlin/Tenants", "smtp_host": "mail.berlin.example"}
        assert database["own"] == ["/mnt/newyork/Tenants", "mail.newyork.example"]
        assert (result["changed_values"], result["scanned_for"]) == (1, ["smtp_host", "tenants_path"])
        assert result["rewrite_sha256"] == DONE.sha256
        assert Rewritings(bench.catalog).get(DONE.sha256) == DONE

    def test_a_value_that_both_sites_share_is_none_of_the_source_s(
        self, bench: Bench, point: str, database: dict[str, Any]
    ) -> None:
        for site in bench.access.config.sites.values():
            site.values["smtp_host"] = "mail.example"
        rewrite_metadata(at_step(bench, StepName.REWRITE))
        assert database["needles"] == {"tenants_path": "/mnt/berlin/Tenants"}

    def test_what_still_points_to_the_old_site_stops_the_cutover(
        self, bench: Bench, point: str, database: dict[str, Any]
    ) -> None:
        database["findings"] = [Finding("SERVER_CONFIG.VALUE", "smtp_host", 3), Finding("view `v`", "tenants_path", 0)]
        run = at_step(bench, StepName.REWRITE)
        with pytest.raises(IntegrityError) as caught:
            rewrite_metadata(run)
        assert caught.value.what.split("\n") == [
            "2 place(s) still point to berlin:",
            "  SERVER_CONFIG.VALUE holds the other site's smtp_host in 3 row(s)",
            "  view `v` holds the other site's tenants_path",
        ]
        assert "rewrite rule" in caught.value.fix
        assert StepName.REWRITE not in run.folder.done()

    def test_a_snapshot_file_that_points_to_the_old_site_stops_the_cutover(
        self, bench: Bench, point: str, database: dict[str, Any]
    ) -> None:
        run = at_step(bench, StepName.REWRITE)
        place = bench.storage("newyork") / "acme" / "ddm"
        place.mkdir(parents=True)
        (place / "t.ddm").write_bytes(b"\x00\xffmail.berlin.example\x00")
        (place / "u.ddm").write_bytes(b"mail.newyork.example")
        with pytest.raises(IntegrityError, match=r"file acme/ddm/t\.ddm holds the other site's smtp_host"):
            rewrite_metadata(run)
        rules = ScanRules(allowed_files=("*/t.ddm",), allowed_columns=(AllowedColumn(table="LOG", column="TEXT"),))
        metadata = run.access.config.metadata.model_copy(update={"scan": rules})
        run = CutoverRun(bench.changed(metadata=metadata), run.target, run.run_id, run.actor)
        assert rewrite_metadata(run)["scanned_files"] == 1
        assert database["allowed"] == {("LOG", "TEXT")}
