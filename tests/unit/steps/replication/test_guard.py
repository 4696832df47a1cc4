"""The change breaker in a run: B40, B41 and B43, with real files. A replica that is full stays full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.breaker import Limits
from incorta_provider.exceptions import NothingToDo, PreconditionError
from incorta_provider.steps.replication.apply import apply
from incorta_provider.steps.replication.check import check
from incorta_provider.steps.replication.copy import final_copy, pre_copy
from incorta_provider.steps.replication.guard import override
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.release import release
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.replication.seal import seal
from incorta_provider.storage.records.breaker_file import BreakerFile, Counts, Held, Override
from incorta_provider.storage.records.pins import Pins
from tests.builders.disks import mounted
from tests.builders.group import ACTOR, Bench, replication_run, write_dump
from tests.builders.storage import put, snapshot


def nested(count: int) -> dict[str | bytes, bytes | None]:
    """Return files in nested folders, a hundred in each."""
    return {f"acme/t{number // 1000}/v{number // 100}/part-{number:05d}": b"%d" % number for number in range(count)}


@pytest.fixture
def source(bench: Bench) -> Path:
    root = bench.storage("berlin")
    put(root, {"keep/one": b"1", "keep/two": b"2", **nested(300)})
    return root


def staged(bench: Bench, run_id: str, **group_fields: Any) -> ReplicationRun:
    """Return a run that has copied all and checked nothing."""
    run = replication_run(bench, run_id, **group_fields)
    open_run(run)
    pre_copy(run)
    write_dump(run)
    final_copy(run)
    return run


def finish(run: ReplicationRun) -> str:
    """Take the steps behind the copy and return the point's id."""
    check(run)
    run.save_proof(proven=True)
    point = seal(run)
    apply(run)
    return point.id


def replicate(bench: Bench, run_id: str, **group_fields: Any) -> str:
    point = finish(staged(bench, run_id, **group_fields))
    bench.clock.go_on(3600)
    return point


def tripped(run: ReplicationRun) -> PreconditionError:
    """Return why the check stopped, after the DAG's teardown."""
    with pytest.raises(PreconditionError, match="the change breaker stopped this run") as stopped:
        check(run)
    release(run)
    return stopped.value


def held(bench: Bench) -> Held | None:
    return BreakerFile(bench.catalog).held()


def let_through(bench: Bench, run_id: str, reason: str = "the table was dropped") -> None:
    override(bench.access, bench.access.site("newyork"), run_id, reason=reason, by="dana")


def lose(root: Path, count: int, first: int = 0) -> None:
    for name in list(nested(first + count))[first:]:
        (root / str(name)).unlink()


class TestSource:
    def test_one_that_was_emptied_or_is_gone_stops_the_run_and_pins_the_last_good_point(
        self, bench: Bench, source: Path
    ) -> None:
        point = replicate(bench, "scheduled__1")
        full = snapshot(bench.storage("newyork"), times=True)
        spoilt: list[tuple[Callable[[], object], str]] = [
            (lambda: list(map(shutil.rmtree, source.iterdir())), "is empty"),
            (source.rmdir, "does not exist"),
            (lambda: source.write_text("a file"), "is not a folder"),
        ]
        for number, (spoil, what) in enumerate(spoilt, start=2):
            spoil()
            run = replication_run(bench, f"scheduled__{number}")
            open_run(run)
            with pytest.raises(PreconditionError, match="the change breaker stopped this run") as stopped:
                pre_copy(run)
            assert stopped.value.what == f"the change breaker stopped this run:\n  the storage {what} [{source}]"
            assert stopped.value.where == "source berlin"
            assert stopped.value.fix == (
                f"Nothing was published, nothing was deleted. Recovery point {point} is pinned. "
                "Fix the source; the next run goes on by itself."
            )
            assert bench.events()[-2:] == ["breaker.tripped", "point.void"]
            assert snapshot(bench.storage("newyork"), times=True) == full
        (pin,) = Pins(bench.catalog).all()
        assert (pin.point, pin.reason, pin.by) == (point, "change breaker, run scheduled__2", ACTOR)
        assert [each.id for each in bench.catalog.points()] == [point]

    def test_the_newest_good_point_is_pinned_and_not_a_damaged_one(self, bench: Bench, source: Path) -> None:
        good = replicate(bench, "scheduled__1")
        put(source, {"keep/one": b"22"})
        damaged = replicate(bench, "scheduled__2")
        bench.catalog.dump_path(damaged).write_bytes(b"damaged")
        shutil.rmtree(source)
        run = replication_run(bench, "scheduled__3")
        open_run(run)
        with pytest.raises(PreconditionError, match=f"Recovery point {good} is pinned"):
            pre_copy(run)
        assert [pin.point for pin in Pins(bench.catalog).all()] == [good]

    def test_one_that_lost_every_file_but_has_its_folders(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        for path in source.rglob("*"):
            if path.is_file():
                path.unlink()
        run = replication_run(bench, "scheduled__2")
        open_run(run)
        with pytest.raises(
            PreconditionError, match=r"the change breaker stopped this run:\n  the source lists no file"
        ):
            pre_copy(run)

    def test_one_that_is_not_mounted(self, bench: Bench, source: Path) -> None:
        """What lies below the mount point, where nothing is mounted, looks like any other folder."""
        sites = dict(bench.access.config.sites)
        sites["berlin"] = sites["berlin"].model_copy(update={"mount_point": str(source)})
        run = replication_run(bench, "scheduled__1", sites=sites)
        open_run(run)
        with pytest.raises(PreconditionError, match=r"nothing is mounted at .*/storage, where the storage of berlin"):
            pre_copy(run)
        assert list(run.workspace.files.iterdir()) == []
        with mounted(source, "size=10m"):
            put(source, {"on/the/mount": b"1"})
            assert pre_copy(run).listed_files == 1
        write_dump(run)
        with pytest.raises(PreconditionError, match="nothing is mounted"):
            final_copy(run)

    @pytest.mark.parametrize("there", ["absent", "a folder", "a file"])
    def test_a_marker_must_be_there(self, bench: Bench, source: Path, there: str) -> None:
        if there != "absent":
            put(source, {"keep/.incorta": None if there == "a folder" else b""})
        run = replication_run(bench, "scheduled__1", breaker=Limits(marker="keep/.incorta"))
        open_run(run)
        if there == "a file":
            assert pre_copy(run).listed_files == 303
            return
        with pytest.raises(PreconditionError, match=r"the marker file keep/\.incorta is not in"):
            pre_copy(run)

    def test_one_that_is_gone_with_its_marker_pins_the_last_good_point(self, bench: Bench, source: Path) -> None:
        put(source, {"keep/.incorta": b""})
        limits = Limits(marker="keep/.incorta")
        point = replicate(bench, "scheduled__1", breaker=limits)
        shutil.rmtree(source)
        run = replication_run(bench, "scheduled__2", breaker=limits)
        open_run(run)
        with pytest.raises(
            PreconditionError, match="the change breaker stopped this run:\\n  the storage does not exist"
        ):
            pre_copy(run)
        assert [pin.point for pin in Pins(bench.catalog).all()] == [point]

    def test_what_is_wrong_at_the_source_cannot_be_overridden(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        shutil.rmtree(source)
        run = replication_run(bench, "scheduled__2")
        open_run(run)
        with pytest.raises(PreconditionError):
            pre_copy(run)
        with pytest.raises(PreconditionError, match="cannot be overridden: the storage does not exist"):
            let_through(bench, "scheduled__2")

    def test_one_that_comes_back_is_replicated_by_itself(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        away = source.with_name("away")
        source.rename(away)
        run = replication_run(bench, "scheduled__2")
        open_run(run)
        with pytest.raises(PreconditionError):
            pre_copy(run)
        away.rename(source)
        replicate(bench, "scheduled__3")
        assert held(bench) is None
        assert bench.events().count("breaker.closed") == 1


class TestChanges:
    def test_a_source_that_is_half_listed(self, bench: Bench, source: Path) -> None:
        """B40: exactly half of it is seen."""
        replicate(bench, "scheduled__1")
        full = snapshot(bench.storage("newyork"), times=True)
        lose(source, 151)
        assert "151 of 302 files (50.0 %) were removed" in tripped(staged(bench, "scheduled__2")).what
        assert snapshot(bench.storage("newyork"), times=True) == full
        assert len(bench.catalog.points()) == 1

    def test_more_than_half_of_the_source_is_gone(self, bench: Bench, source: Path) -> None:
        point = replicate(bench, "scheduled__1")
        full = snapshot(bench.storage("newyork"), times=True)
        lose(source, 160)
        run = staged(bench, "scheduled__2")
        error = tripped(run)
        assert error.what == (
            "the change breaker stopped this run:\n  160 of 302 files (53.0 %) were removed, allowed are 40 %: "
            "160 in acme/t0/; such as acme/t0/v0/part-00000, acme/t0/v0/part-00001, acme/t0/v0/part-00002"
        )
        assert "--group acme --site newyork --run-id scheduled__2 --reason TEXT`" in error.fix
        assert f"Recovery point {point} is pinned." in error.fix
        assert bench.last("breaker.tripped") == {
            "reasons": [error.what.partition("\n  ")[2]],
            "pinned": point,
            "held_run": "scheduled__2",
            "removed": 160,
            "changed": 0,
        }
        with pytest.raises(PreconditionError, match="the check has not been passed"):
            run.checked()
        assert [each.id for each in bench.catalog.points()] == [point]
        assert snapshot(bench.storage("newyork"), times=True) == full

    def test_half_of_the_source_is_written_over(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        put(source, dict.fromkeys(nested(200), b"encrypted"))
        assert "200 of 302 files (66.2 %) were changed, allowed are 50 %" in tripped(staged(bench, "scheduled__2")).what

    def test_limits_are_the_groups(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        lose(source, 160)
        replicate(bench, "scheduled__2", breaker=Limits(max_removed_percent=60))
        lose(source, 1, first=160)
        limits = Limits(max_removed_files=0)
        assert (
            "1 of 142 files (0.7 %) were removed, allowed are 0"
            in tripped(staged(bench, "scheduled__3", breaker=limits)).what
        )

    def test_deletes_that_are_few_each_time_are_not_put_off(self, bench: Bench, source: Path) -> None:
        """B43: what vanishes in each run between list and copy is not an error, and what is deleted gets deleted."""
        replicate(bench, "scheduled__1")
        for number in range(3):
            lose(source, 50, first=50 * number)
            replicate(bench, f"scheduled__{number + 2}")
            assert snapshot(bench.storage("newyork"), times=True) == snapshot(source, times=True)
        assert Pins(bench.catalog).all() == []


class TestOverride:
    def test_five_thousand_deletes_are_held_and_then_done_exactly(self, bench: Bench) -> None:
        """B41."""
        source = bench.storage("berlin")
        put(source, {"keep/one": b"1", **nested(6000)})
        first = replicate(bench, "scheduled__1")
        lose(source, 5000, first=500)
        run = staged(bench, "scheduled__2")
        assert tripped(run).what == (
            "the change breaker stopped this run:\n  5000 of 6001 files (83.3 %) were removed, allowed are 40 %: "
            "1000 in acme/t1/, 1000 in acme/t2/, 1000 in acme/t3/, 1000 in acme/t4/, 500 in acme/t0/; "
            "such as acme/t0/v5/part-00500, acme/t0/v5/part-00501, acme/t0/v5/part-00502"
        )
        let_through(bench, "scheduled__2", "five tables were dropped")
        second = finish(run)
        assert snapshot(bench.storage("newyork"), times=True) == snapshot(source, times=True)
        assert run.sealed() is not None
        events = bench.events()
        tail = events[events.index("breaker.tripped") :]
        assert tail == [
            "breaker.tripped",
            "point.void",
            "breaker.overridden",
            "breaker.override.used",
            "point.sealed",
        ]
        assert bench.last("breaker.overridden")["reason"] == "five tables were dropped"
        assert (bench.last("breaker.overridden")["removed"], bench.last("breaker.overridden")["changed"]) == (5000, 0)
        assert bench.last("breaker.override.used")["by"] == "dana"
        assert [pin.point for pin in Pins(bench.catalog).all()] == [first]
        bench.access.site("newyork").target.apply(first)
        assert len(snapshot(bench.storage("newyork"))) > 6000
        bench.access.site("newyork").target.apply(second)
        assert held(bench) is None

    def test_only_the_run_that_is_held_is_let_through(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        with pytest.raises(PreconditionError, match="does not hold run scheduled__2, it holds no run"):
            let_through(bench, "scheduled__2")
        lose(source, 160)
        tripped(staged(bench, "scheduled__2"))
        for wrong in ("scheduled__1", "scheduled__3", ""):
            with pytest.raises(PreconditionError, match=f"does not hold run {wrong}, it holds run scheduled__2"):
                let_through(bench, wrong)
        with pytest.raises(PreconditionError, match="a reason is needed"):
            let_through(bench, "scheduled__2", " ")
        assert "breaker.overridden" not in bench.events()

    def test_a_word_is_good_for_one_run(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        lose(source, 160)
        run = staged(bench, "scheduled__2")
        tripped(run)
        let_through(bench, "scheduled__2")
        finish(run)
        bench.clock.go_on(3600)
        put(source, nested(300))
        replicate(bench, "scheduled__3")
        lose(source, 160)
        tripped(staged(bench, "scheduled__4"))

    @pytest.mark.parametrize(("removed", "changed", "passes"), [(160, 0, True), (159, 9, False), (200, 1, True)])
    def test_a_word_is_good_for_what_was_seen_and_no_more(
        self, bench: Bench, source: Path, removed: int, changed: int, passes: bool
    ) -> None:
        replicate(bench, "scheduled__1")
        lose(source, 160)
        run = staged(bench, "scheduled__2")
        tripped(run)
        word = Override(
            run_id="scheduled__2",
            reason="less was seen",
            by="dana",
            at=bench.clock.now,
            counts=Counts(removed=removed, changed=changed),
        )
        BreakerFile(bench.catalog).save(word)
        if passes:
            finish(run)
        else:
            tripped(run)

    def test_a_check_that_was_cut_off_behind_it_goes_on(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        lose(source, 160)
        run = staged(bench, "scheduled__2")
        tripped(run)
        let_through(bench, "scheduled__2")
        check(run)
        check(run)
        assert bench.events().count("breaker.override.used") == 1
        finish(run)

    def test_later_runs_leave_the_held_one_its_workspace_and_do_not_take_its_place(
        self, bench: Bench, source: Path
    ) -> None:
        """A schedule of a minute must not overtake the person who looks at what was stopped."""
        replicate(bench, "scheduled__1")
        lose(source, 160)
        run = staged(bench, "scheduled__2")
        tripped(run)
        for number in (3, 4):
            bench.clock.go_on(60)
            error = tripped(staged(bench, f"scheduled__{number}"))
            assert "--run-id scheduled__2 " in error.fix
        let_through(bench, "scheduled__2")
        waiting = replication_run(bench, "scheduled__5")
        with pytest.raises(NothingToDo, match="run scheduled__2 was let through the change breaker by dana and goes"):
            open_run(waiting)
        finish(run)
        bench.clock.go_on(60)
        replicate(bench, "scheduled__6")
        assert held(bench) is None

    def test_nobody_waits_longer_than_an_hour(self, bench: Bench, source: Path) -> None:
        replicate(bench, "scheduled__1")
        lose(source, 160)
        tripped(staged(bench, "scheduled__2"))
        let_through(bench, "scheduled__2")
        bench.clock.go_on(3601)
        open_run(replication_run(bench, "scheduled__3"))
