"""A prune says what it will do, does that, and every point that stays can be reached on every way."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from incorta_provider.dr.plan import StepName
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.retention import Retention, Verdict, judge
from incorta_provider.dr.rewriting import CellChange, Rewriting
from incorta_provider.exceptions import IntegrityError, PreconditionError, TransientError
from incorta_provider.steps import prune as step
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.pin import pin, unpin
from incorta_provider.steps.prune import PruneReport, look, prune
from incorta_provider.storage.catalog import DROPPED
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.records.json_file import write_json
from incorta_provider.storage.records.pins import Pin, Pins
from incorta_provider.storage.records.rewritings import Rewritings
from incorta_provider.storage.vault import prune as prune_module
from tests.builders.group import Bench, cutover_run, done_before, frozen_plan, sealed_point
from tests.builders.storage import put, snapshot

ONE = Retention(count=1, tiers=())
Files = dict[bytes, tuple[object, ...]]


def keeping(bench: Bench, policy: Retention = ONE) -> GroupAccess:
    return bench.changed(retention=policy)


def pruned(bench: Bench, policy: Retention = ONE, tell: Callable[[str], None] = lambda _: None) -> PruneReport:
    access = keeping(bench, policy)
    return prune(access, access.site("newyork"), by="dana", run_id="prune__1", tell=tell)


def looked(bench: Bench, policy: Retention = ONE) -> PruneReport:
    access = keeping(bench, policy)
    return look(access, access.site("newyork"))


def publish(
    bench: Bench, number: int, files: dict[str | bytes, bytes | None], *, applied: bool = True
) -> RecoveryPoint:
    """Make a point of the source with these files written to it, an hour after the one before."""
    source, catalog = bench.storage("berlin"), bench.catalog
    put(source, files)
    target = bench.access.site("newyork").target
    workspace = catalog.workspace(f"run {number}")
    newest = catalog.newest()
    base = catalog.manifest_path(newest.id) if newest else None
    copy_delta(bench.access.site("berlin").tree(()), target, base, workspace, final=True)
    point = sealed_point(catalog, f"run {number}", opened_at=bench.clock.go_on(3600))
    if applied:
        target.apply(point.id)
    return point


def points(bench: Bench) -> list[str]:
    return [point.id for point in bench.catalog.points()]


def everything(bench: Bench) -> Files:
    return snapshot(bench.catalog.root)


def without_locks(bench: Bench) -> set[bytes]:
    return {path for path in everything(bench) if not path.startswith(b"locks/")}


class TestReport:
    def test_it_says_why_each_stays_or_goes_and_changes_nothing(self, bench: Bench) -> None:
        first, second, third = (publish(bench, number, {"a": b"x" * number, "b": b"same"}) for number in (1, 2, 3))
        before = everything(bench)
        report = looked(bench)
        assert list(report.lines()) == [
            f"drop    {first.id}: 2 h old, and none of: the newest 1",
            f"drop    {second.id}: 1 h old, and none of: the newest 1",
            f"keep    {third.id}: the live replica is this point",
            "2 of 3 point(s), 2 file(s), 3 bytes would be deleted",
        ]
        after = everything(bench)
        assert {path: facts for path, facts in after.items() if not path.startswith(b"locks")} == {
            path: facts for path, facts in before.items() if not path.startswith(b"locks")
        }
        assert "point.dropped" not in bench.events()

    def test_what_it_says_is_what_is_done(self, bench: Bench) -> None:
        for number in (1, 2, 3):
            publish(bench, number, {"a": b"x" * number, f"t/{number}": b"1"}, applied=number != 2)
        told = list[str]()
        said, done = looked(bench), pruned(bench, tell=told.append)
        assert (said.verdicts, said.files, said.size) == (done.verdicts, done.files, done.size)
        assert told == list(said.lines())[:-1]
        assert list(done.lines()) == ["2 of 3 point(s), 2 file(s), 3 bytes deleted"]

    def test_without_a_policy_the_defaults_keep(self, bench: Bench) -> None:
        for number in range(4):
            publish(bench, number, {"a": b"x" * number})
        report = look(bench.access, bench.access.site("newyork"))
        assert [verdict.keep for verdict in report.verdicts] == [True] * 4


class TestPrune:
    def test_dropped_points_are_gone_and_the_ledger_says_why(self, bench: Bench) -> None:
        first, second = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2))
        pruned(bench)
        assert points(bench) == [second.id]
        assert sorted(path.name for path in (bench.catalog.root / "points").iterdir()) == [second.id]
        assert list(bench.catalog.history.rglob("*")) == []
        (entry,) = [e for e in bench.access.site("newyork").ledger.entries() if e.event == "point.dropped"]
        assert (entry.actor, entry.run_id, entry.at) == ("dana", "prune__1", bench.clock.now)
        assert entry.details == {
            "point": first.id,
            "reason": "1 h old, and none of: the newest 1",
            "opened_at": first.opened_at.isoformat(),
            "sealed_by": "run 1",
            "manifest_sha256": first.manifest_sha256,
        }
        with pytest.raises(PreconditionError, match="there is no recovery point"):
            bench.catalog.get(first.id)

    def test_pruning_again_does_nothing(self, bench: Bench) -> None:
        for number in (1, 2):
            publish(bench, number, {"a": b"x" * number})
        pruned(bench)
        before = everything(bench)
        again = pruned(bench)
        assert (again.dropped, again.files, again.size) == ([], 0, 0)
        assert everything(bench).keys() == before.keys()
        assert bench.events().count("point.dropped") == 1

    def test_every_point_that_stays_is_reached_on_every_way(self, bench: Bench) -> None:
        states = {}
        for number in range(6):
            shutil.rmtree(bench.storage("berlin") / "only", ignore_errors=True)
            files: dict[str | bytes, bytes | None] = {
                "a": b"x" * number,
                f"only/{number}": b"1",
                "back": b"%d" % (number % 2),
                "same": b"0",
            }
            point = publish(bench, number, files, applied=number in {1, 2, 5})
            states[point.id] = snapshot(bench.storage("berlin"), times=True)
        names = list(states)
        for name in (names[1], names[3]):
            access = bench.access
            pin(access, access.site("newyork"), name, reason="audit", by="dana")
        pruned(bench)
        assert points(bench) == [names[1], names[3], names[5]]
        target = bench.access.site("newyork").target
        for name in (names[3], names[1], names[5], names[1], names[3], names[5]):
            target.apply(name)
            assert snapshot(bench.storage("newyork"), times=True) == states[name]

    def test_files_that_another_point_needs_stay_until_it_goes_too(self, bench: Bench) -> None:
        """The first point was never applied: its files lie in its own folder, and the second names them."""
        first = publish(bench, 1, {"a": b"1", "b": b"1"}, applied=False)
        second = publish(bench, 2, {"b": b"22"}, applied=False)
        bench.catalog.root.joinpath("live.json").unlink(missing_ok=True)
        pruned(bench)
        folder = bench.catalog.root / "points" / first.id
        assert sorted(path.name for path in folder.rglob("*")) == ["a", DROPPED, "files"]
        assert points(bench) == [second.id]
        assert bench.catalog.damaged() == {}
        bench.access.site("newyork").target.apply(second.id)
        assert snapshot(bench.storage("newyork"), times=True) == snapshot(bench.storage("berlin"), times=True)
        pruned(bench)
        assert not folder.exists()

    @pytest.mark.parametrize("protection", ["pin", "live", "cutover", "run"])
    def test_what_is_needed_stays(self, bench: Bench, protection: str) -> None:
        first, _, third = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2, 3))
        site = bench.access.site("newyork")
        if protection == "pin":
            pin(bench.access, site, first.id, reason="before the upgrade", by="hana")
        elif protection == "live":
            site.target.apply(first.id)
        elif protection == "cutover":
            frozen_plan(bench, cutover_run(bench), recovery_point=first.id)
        else:
            write_json(bench.catalog.workspace("run 9").root / "run.json", {"run_id": "run 9", "previous": first.id})
        report = pruned(bench)
        assert points(bench) == [first.id, third.id]
        reasons = {
            "pin": "pinned: before the upgrade (by hana)",
            "live": "the live replica is this point",
            "cutover": "in use: cutover manual__1 is open",
            "run": "in use: run run 9 is under way",
        }
        assert report.verdicts[0].reason == reasons[protection]

    @pytest.mark.parametrize("end", ["report", "abort", "never acted on", "fenced and left"])
    def test_a_cutover_holds_its_point_until_it_ends(self, bench: Bench, end: str) -> None:
        first, second = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2))
        run = cutover_run(bench)
        frozen_plan(bench, run, recovery_point=first.id)
        if end == "report":
            run.folder.save_report({})
        elif end == "abort":
            run.folder.mark_aborted()
        elif end == "fenced and left":
            done_before(bench, run, StepName.STOP_TARGET)
        bench.clock.go_on(timedelta(days=7, minutes=1).total_seconds())
        pruned(bench)
        assert points(bench) == ([first.id, second.id] if end == "fenced and left" else [second.id])

    def test_the_last_good_one_stays_when_the_newest_is_damaged(self, bench: Bench) -> None:
        _, second, third = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2, 3))
        bench.catalog.dump_path(third.id).write_bytes(b"damaged")
        report = pruned(bench)
        assert points(bench) == [second.id, third.id]
        assert report.verdicts[1].reason == "the newest point whose files are proven whole"

    def test_a_point_with_a_damaged_record_is_left_alone_and_told(self, bench: Bench) -> None:
        _, second, third = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2, 3))
        state = bench.catalog.point_dir(second.id) / "point.json"
        whole = state.read_text()
        state.write_text("{")
        told = list[str]()
        pruned(bench, tell=told.append)
        assert told[2].startswith(
            f"damaged {second.id}: the record of a recovery point is damaged: the file is not valid JSON"
        )
        assert points(bench) == [third.id]
        state.write_text(whole)
        bench.access.site("newyork").target.apply(second.id)
        assert (bench.storage("newyork") / "a").read_bytes() == b"xx"

    def test_what_a_point_needs_must_be_known(self, bench: Bench) -> None:
        first, second, third = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2, 3))
        site = bench.access.site("newyork")
        pin(bench.access, site, second.id, reason="audit", by="dana")
        bench.catalog.manifest_path(second.id).write_bytes(b"damaged")
        before = without_locks(bench)
        with pytest.raises(IntegrityError, match="which bytes it needs is not known") as refused:
            pruned(bench)
        assert refused.value.where == str(bench.catalog.point_dir(second.id))
        assert without_locks(bench) == before
        assert points(bench) == [first.id, second.id, third.id]

    def test_a_damaged_manifest_of_a_point_that_goes_holds_up_nothing(self, bench: Bench) -> None:
        first, _, third = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2, 3))
        bench.catalog.manifest_path(first.id).write_bytes(b"damaged")
        pruned(bench)
        assert points(bench) == [third.id]

    def test_a_pin_that_comes_at_the_last_moment_holds(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2))

        def judge_slowly(*arguments: Any) -> list[Verdict]:
            verdicts = judge(*arguments)
            pin(bench.access, bench.access.site("newyork"), first.id, reason="wait", by="hana")
            return verdicts

        monkeypatch.setattr(step, "judge", judge_slowly)
        report = pruned(bench)
        assert report.dropped == []
        assert report.verdicts[0].reason == "pinned: wait (by hana)"
        assert points(bench) == [first.id, second.id]
        assert "point.dropped" not in bench.events()

    def test_a_pin_that_was_confirmed_while_others_were_dropped_holds(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, second, third = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2, 3))
        held, pinned = Pins.held, list[Pin]()

        @contextmanager
        def held_and_then_pinned(pins: Pins) -> Iterator[None]:
            with held(pins):
                yield
            if not pinned:
                monkeypatch.setattr(Pins, "held", held)
                pinned.append(pin(bench.access, bench.access.site("newyork"), second.id, reason="wait", by="hana"))

        monkeypatch.setattr(Pins, "held", held_and_then_pinned)
        report = pruned(bench)
        assert pinned[0].point == second.id
        assert report.verdicts[1].reason == "pinned: wait (by hana)"
        assert list(report.lines()) == [
            f"keep    {second.id}: pinned: wait (by hana)",
            "1 of 3 point(s), 1 file(s), 1 bytes deleted",
        ]
        assert points(bench) == [second.id, third.id]

    def test_a_pin_that_comes_while_its_point_is_dropped_is_not_confirmed(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2))
        refused = list[BaseException]()

        def pin_it() -> None:
            try:
                pin(bench.access, bench.access.site("newyork"), first.id, reason="wait", by="hana")
            except PreconditionError as error:
                refused.append(error)

        pinning = threading.Thread(target=pin_it)

        def drop_slowly(*arguments: Any, **named: Any) -> None:
            pinning.start()
            pinning.join(0.1)
            assert pinning.is_alive()
            prune_module.drop(*arguments, **named)

        monkeypatch.setattr(step, "drop", drop_slowly)
        pruned(bench)
        pinning.join()
        assert "there is no recovery point" in str(refused[0])
        assert points(bench) == [second.id]
        assert Pins(bench.catalog).all() == []

    def test_what_goes_is_said_before_it_goes(self, bench: Bench) -> None:
        first, second = (publish(bench, number, {"a": b"x" * number}) for number in (1, 2))
        told = list[tuple[str, list[str]]]()
        access = keeping(bench)
        prune(
            access,
            access.site("newyork"),
            by="dana",
            run_id="prune__1",
            tell=lambda line: told.append((line, points(bench))),
        )
        assert told == [
            (f"drop    {first.id}: 1 h old, and none of: the newest 1", [first.id, second.id]),
            (f"keep    {second.id}: the live replica is this point", [first.id, second.id]),
        ]
        assert bench.events()[-2:] == ["prune.planned", "point.dropped"]
        assert bench.last("prune.planned") == {"drop": {first.id: "1 h old, and none of: the newest 1"}}

    def test_where_nothing_goes_the_ledger_gets_no_line(self, bench: Bench) -> None:
        publish(bench, 1, {"a": b"1"})
        pruned(bench)
        assert "prune.planned" not in bench.events()

    def test_it_waits_for_nobody(self, bench: Bench) -> None:
        publish(bench, 1, {"a": b"1"})
        for act in (looked, pruned):
            with bench.catalog.lock("apply"), pytest.raises(TransientError, match="the catalog's lock 'apply' is busy"):
                act(bench)

    def test_an_apply_that_was_cut_off_comes_first(self, bench: Bench) -> None:
        for number in (1, 2):
            publish(bench, number, {"a": b"x" * number})
        bench.catalog.journal.write_text('{"base": null, "target": "x", "history": "x"}\n')
        with pytest.raises(PreconditionError, match="an apply was cut off"):
            pruned(bench)
        assert len(points(bench)) == 2


STAGES: list[str] = ["drop", "forget_bytes", "sweep"]


class Died(BaseException):
    """Stands for SIGKILL: no handler of ours catches it."""


class TestKilled:
    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize("after", [0, 1])
    def test_the_next_one_goes_on(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, stage: str, after: int) -> None:
        """Killed before or behind a stage; every write is tried in tests/integration/storage/test_kill_prune.py."""
        states = {}
        for number in range(4):
            point = publish(bench, number, {"a": b"x" * number, f"t/{number}": b"1"}, applied=number % 2 == 1)
            states[point.id] = snapshot(bench.storage("berlin"), times=True)
        original: Callable[..., Any] = getattr(prune_module, stage)

        def dies(*arguments: Any, **named: Any) -> None:
            if after:
                original(*arguments, **named)
            raise Died

        with monkeypatch.context() as patch:
            patch.setattr(step, stage, dies)
            with pytest.raises(Died):
                pruned(bench)
        pruned(bench)
        last = list(states)[-1]
        assert points(bench) == [last]
        assert bench.events().count("point.dropped") == 3
        assert sorted(path.name for path in (bench.catalog.root / "points").iterdir()) == [last]
        assert list(bench.catalog.history.rglob("*")) == []
        bench.access.site("newyork").target.apply(last)
        assert snapshot(bench.storage("newyork"), times=True) == states[last]


class TestPins:
    def test_a_pin_and_its_end_stand_in_the_ledger(self, bench: Bench) -> None:
        point = sealed_point(bench.catalog)
        site = bench.access.site("newyork")
        made = pin(bench.access, site, point.id, reason="before the upgrade", by="dana")
        assert (made.point, made.reason, made.by, made.at) == (
            point.id,
            "before the upgrade",
            "dana",
            bench.clock.now,
        )
        assert bench.last("point.pinned") == {"point": point.id, "reason": "before the upgrade"}
        assert pin(bench.access, site, point.id, reason="another", by="hana") == made
        assert bench.events() == ["point.pinned"]
        bench.clock.go_on(60)
        assert unpin(bench.access, site, point.id, reason="upgrade is done", by="hana") == made
        assert bench.last("point.unpinned") == {"point": point.id, "reason": "upgrade is done", "pinned_by": "dana"}
        with pytest.raises(PreconditionError, match="is not pinned"):
            unpin(bench.access, site, point.id, reason="again", by="hana")
        pin(bench.access, site, point.id, reason="once more", by="dana")
        assert bench.events() == ["point.pinned", "point.unpinned", "point.pinned"]

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_a_reason_is_needed(self, bench: Bench, reason: str) -> None:
        point = sealed_point(bench.catalog)
        site = bench.access.site("newyork")
        with pytest.raises(PreconditionError, match="a reason is needed"):
            pin(bench.access, site, point.id, reason=reason, by="dana")
        with pytest.raises(PreconditionError, match="a reason is needed"):
            unpin(bench.access, site, point.id, reason=reason, by="dana")

    @pytest.mark.parametrize("point_id", ["20200101T000000Z-00000000", "../../etc", ""])
    def test_only_a_point_that_is_there_is_pinned(self, bench: Bench, point_id: str) -> None:
        sealed_point(bench.catalog)
        with pytest.raises(PreconditionError, match="there is no recovery point"):
            pin(bench.access, bench.access.site("newyork"), point_id, reason="why", by="dana")
        assert not (bench.catalog.root / "pins").exists() or not list((bench.catalog.root / "pins").iterdir())


class TestRewrites:
    """What was rewritten may be secret, and is kept no longer than a recovery point of that time."""

    @staticmethod
    def kept(bench: Bench, before: str, *, age: timedelta) -> Rewriting:
        change = CellChange(table="T", column="C", key={}, keyed=False, binary=False, before=before, after="x")
        done = Rewriting(changes=(change,))
        Rewritings(bench.catalog).keep(done)
        at = (bench.clock.now - age).timestamp()
        os.utime(bench.catalog.root / "rewrites" / f"{done.sha256}.json", (at, at))
        return done

    def test_records_from_before_the_oldest_point_go(self, bench: Bench) -> None:
        old = self.kept(bench, "old", age=timedelta(days=40))
        new = self.kept(bench, "new", age=timedelta(hours=1))
        sealed_point(bench.catalog, opened_at=bench.clock.now - timedelta(days=2))
        report = pruned(bench)
        assert report.rewrites == 1
        assert list(report.lines())[-1] == (
            "1 record(s) of rewrites deleted, which were older than every point that stays"
        )
        assert Rewritings(bench.catalog).get(new.sha256) == new
        with pytest.raises(PreconditionError, match="no rewrite"):
            Rewritings(bench.catalog).get(old.sha256)

    def test_a_cutover_that_may_go_back_keeps_its_own(self, bench: Bench) -> None:
        done = self.kept(bench, "old", age=timedelta(days=40))
        sealed_point(bench.catalog, opened_at=bench.clock.now - timedelta(days=2))
        run = cutover_run(bench)
        frozen_plan(bench, run)
        run.folder.record(StepName.REWRITE, {"rewrite_sha256": done.sha256})
        assert pruned(bench).rewrites == 0
        run.folder.mark_aborted()
        assert pruned(bench).rewrites == 1

    def test_without_a_point_nothing_is_older_than_one(self, bench: Bench) -> None:
        self.kept(bench, "old", age=timedelta(days=4000))
        assert pruned(bench).rewrites == 0
