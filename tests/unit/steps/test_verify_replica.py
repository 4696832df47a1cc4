"""Drift is found, named and repaired or reported; B51: what was written by hand is never an endless refusal."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.exceptions import IntegrityError, NothingToDo, PreconditionError, TransientError
from incorta_provider.services.ports import Port
from incorta_provider.steps import verify_replica as step
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.verify_replica import verify
from incorta_provider.storage.apply.actual import mark_diverged
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.records.verified_file import Verified, last_verified
from incorta_provider.storage.verify import VerifyReport, verify_replica
from incorta_provider.storage.volume_target import VolumeTarget
from tests.builders.group import Bench, promoting, sealed_point
from tests.builders.storage import put, snapshot

FILES: dict[str | bytes, bytes | None] = {"a": b"one", "t/b": b"two", "t/c": b"three", "empty": None}
DAY = 24 * 3600


def publish(bench: Bench, number: int, files: dict[str | bytes, bytes | None]) -> str:
    """Make a point of the source with these files written to it, and apply it."""
    put(bench.storage("berlin"), files)
    target = bench.access.site("newyork").target
    workspace = bench.catalog.workspace(f"run {number}")
    newest = bench.catalog.newest()
    base = bench.catalog.manifest_path(newest.id) if newest else None
    copy_delta(bench.access.site("berlin").tree(()), target, base, workspace, final=True)
    point = sealed_point(bench.catalog, f"run {number}", opened_at=bench.clock.go_on(3600))
    target.apply(point.id)
    return point.id


@pytest.fixture
def live(bench: Bench) -> Path:
    """Return the live replica at the first point."""
    publish(bench, 1, FILES)
    return bench.storage("newyork")


def verified(
    bench: Bench, *, sample_days: int | None = None, repair: bool = False, access: GroupAccess | None = None
) -> Verified:
    group = access or bench.access
    return verify(group, group.site("newyork"), by="dana", run_id="v1", sample_days=sample_days, repair=repair)


def spoil(path: Path, content: bytes) -> None:
    """Change what a file holds and nothing else: only its digest tells."""
    facts = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


class TestReport:
    def test_a_replica_that_is_its_point(self, bench: Bench, live: Path) -> None:
        outcome = verified(bench)
        (point,) = bench.catalog.points()
        assert (outcome.point, outcome.files, outcome.bytes) == (point.id, 3, 11)
        assert (outcome.found.total, outcome.left.total, outcome.repaired, outcome.read_files) == (0, 0, False, 0)
        assert outcome.in_words() == f"equal to {point.id}: 3 file(s), 0 of them read (0 bytes)"
        assert last_verified(bench.catalog) == outcome
        assert bench.events() == ["replica.verified"]
        assert bench.last("replica.verified")["point"] == point.id

    def test_every_kind_of_drift_is_counted_and_named(self, bench: Bench, live: Path) -> None:
        before = snapshot(bench.catalog.root / "points")
        (live / "a").unlink()
        (live / "t" / "b").write_bytes(b"longer than before")
        put(live, {"by hand/x": b"1"})
        outcome = verified(bench)
        assert (outcome.found.missing, outcome.found.different, outcome.found.unexpected) == (1, 1, 2)
        assert outcome.found.names == ("missing: a", "different: t/b", "unexpected: by hand", "unexpected: by hand/x")
        assert outcome.left == outcome.found
        assert "differed from" in outcome.in_words()
        assert "in 4 place(s) (1 missing, 1 different, 2 unexpected)" in outcome.in_words()
        assert bench.events() == ["replica.drift"]
        assert bench.last("replica.drift")["found"]["names"] == list(outcome.found.names)
        assert not (live / "a").exists()
        assert snapshot(bench.catalog.root / "points") == before

    @pytest.mark.parametrize(("sample_days", "found"), [(None, 0), (1, 1)])
    def test_only_a_digest_tells_of_silent_damage(
        self, bench: Bench, live: Path, sample_days: int | None, found: int
    ) -> None:
        spoil(live / "t" / "b", b"TWO")
        outcome = verified(bench, sample_days=sample_days)
        assert outcome.found.different == found
        assert outcome.read_files == (3 if sample_days else 0)

    def test_names_that_could_spoil_a_terminal_are_written_out(self, bench: Bench, live: Path) -> None:
        put(live, {b"bad\x1b[31m\n\xff": b"1"})
        assert verified(bench).found.names == (r"unexpected: bad\x1b[31m\n\xff",)

    def test_many_are_counted_and_few_are_named(self, bench: Bench, live: Path) -> None:
        put(live, {f"x{number:03d}": b"" for number in range(100)})
        found = verified(bench).found
        assert (found.unexpected, len(found.names), found.names[19]) == (100, 20, "unexpected: x019")

    def test_what_is_excluded_is_none_of_it(self, bench: Bench, live: Path) -> None:
        put(live, {"t/.tmp/scratch": b"1"})
        replication = bench.access.config.replication.model_copy(update={"exclude": ("*/.tmp/*",)})
        assert verified(bench, access=bench.changed(replication=replication)).found.total == 0


class TestSample:
    def test_all_is_read_within_the_days_whatever_days_are_missed(self, bench: Bench) -> None:
        publish(bench, 1, {f"t/{number:03d}": b"%d" % number for number in range(100)})
        live = bench.storage("newyork")
        for number in range(100):
            spoil(live / "t" / f"{number:03d}", b"#" * len(str(number)))
        read, found = 0, 0
        for days in (1, 1, 3, 1, 1):
            outcome = verified(bench, sample_days=7)
            assert outcome.found.different == outcome.read_files
            read, found = read + outcome.read_files, found + outcome.found.different
            bench.clock.go_on(days * DAY)
        assert (read, found) == (100, 100)

    def test_twice_on_a_day_and_without_a_sample_in_between(self, bench: Bench, live: Path) -> None:
        first = verified(bench, sample_days=2)
        assert verified(bench, sample_days=2).read_files == first.read_files
        assert (verified(bench).day, verified(bench).sample_days) == (first.day, 2)
        bench.clock.go_on(DAY)
        assert verified(bench, sample_days=2).read_files == 3 - first.read_files


class TestRepair:
    def test_what_the_catalog_has_comes_back_and_the_rest_goes_to_the_history(self, bench: Bench, live: Path) -> None:
        at_first = snapshot(live, times=True)
        publish(bench, 2, {"a": b"another"})
        bench.access.site("newyork").target.apply(bench.catalog.points()[0].id)
        put(live, {"by hand/x": b"of value to somebody"})
        (live / "a").chmod(0o600)
        outcome = verified(bench, repair=True)
        assert (outcome.found.different, outcome.found.unexpected, outcome.left.total) == (1, 2, 0)
        assert outcome.in_words().endswith("; repaired")
        assert snapshot(live, times=True) == at_first
        assert b"of value to somebody" in {
            facts[2] for facts in snapshot(bench.catalog.history).values() if len(facts) > 2
        }
        assert bench.events()[-1] == "replica.repaired"
        assert verified(bench, sample_days=1).found.total == 0

    @pytest.mark.parametrize("harm", ["silent", "gone", "folder gone", "link", "folder"])
    def test_what_the_catalog_lacks_comes_from_the_source(self, bench: Bench, live: Path, harm: str) -> None:
        before = snapshot(live, times=True)
        path = live / "t" / "b"
        if harm == "silent":
            spoil(path, b"TWO")
        elif harm == "folder gone":
            shutil.rmtree(live / "t")
        else:
            path.unlink()
            if harm == "link":
                path.symlink_to("c")
            elif harm == "folder":
                put(live, {"t/b/x": b"1"})
        outcome = verified(bench, sample_days=1, repair=True)
        assert outcome.found.total > 0
        assert outcome.left.total == 0
        assert snapshot(live, times=True) == before
        assert list((bench.catalog.root / "repairs").iterdir()) == []
        if harm == "silent":
            assert b"TWO" in {facts[2] for facts in snapshot(bench.catalog.history).values() if len(facts) > 2}

    def test_a_source_that_moved_on_does_not_help_but_another_site_does(self, bench: Bench, live: Path) -> None:
        before = snapshot(live, times=True)
        spoil(bench.storage("berlin") / "t" / "b", b"new")
        sites = dict(bench.access.config.sites)
        paris = bench.root / "paris" / "storage"
        shutil.copytree(live, paris)
        sites["paris"] = sites["newyork"].model_copy(update={"storage": f"file://{paris}"})
        spoil(live / "t" / "b", b"TWO")
        outcome = verified(bench, sample_days=1, repair=True, access=bench.changed(sites=sites))
        assert outcome.left.total == 0
        assert snapshot(live, times=True) == before

    def test_bytes_that_are_nowhere_are_named_and_the_others_come_back(self, bench: Bench, live: Path) -> None:
        spoil(bench.storage("berlin") / "t" / "b", b"new")
        spoil(live / "t" / "b", b"TWO")
        spoil(live / "a", b"ONE")
        with pytest.raises(IntegrityError, match=r"1 file\(s\) of the recovery point are nowhere.*\n  t/b"):
            verified(bench, sample_days=1, repair=True)
        assert (live / "a").read_bytes() == b"one"
        assert (live / "t" / "b").read_bytes() == b"TWO"
        assert verified(bench, sample_days=1).found.names == ("different: t/b",)

    def test_a_source_that_is_gone_is_no_accident(self, bench: Bench, live: Path) -> None:
        shutil.rmtree(bench.storage("berlin"))
        (live / "a").unlink()
        with pytest.raises(IntegrityError, match=r"1 file\(s\) of the recovery point are nowhere"):
            verified(bench, repair=True)

    @pytest.mark.parametrize("use", ["active", "services", "unknown"])
    def test_nothing_is_moved_under_services(self, bench: Bench, live: Path, use: str) -> None:
        put(live, {"by hand": b"1"})
        if use == "active":
            promoting(bench)
        elif use == "services":
            bench.nodes.ports["newyork_node1", "loader"] = Port.OPEN
        else:
            bench.ensembles.down.add("newyork_zookeeper")
        with pytest.raises(TransientError if use == "unknown" else PreconditionError) as refused:
            verified(bench, repair=True)
        if use != "unknown":
            assert refused.value.what.startswith("the replica is in use: ")
        assert (live / "by hand").exists()
        assert verified(bench).found.names == ("unexpected: by hand",)


class TestBesideReplication:
    def test_before_the_first_apply_there_is_nothing_to_compare(self, bench: Bench) -> None:
        with pytest.raises(NothingToDo, match="no recovery point was applied yet"):
            verified(bench)

    def test_a_replica_that_services_write_to_is_no_point(self, bench: Bench, live: Path) -> None:
        mark_diverged(bench.catalog)
        with pytest.raises(NothingToDo, match="services ran on the replica since it was"):
            verified(bench, repair=True)
        assert last_verified(bench.catalog) is None

    def test_an_apply_in_the_middle_is_no_drift(
        self, bench: Bench, live: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What looks different is looked at again, against the point that the replica is by then."""
        (live / "t" / "c").unlink()
        self.applied_in_the_middle(bench, monkeypatch, lambda: publish(bench, 2, {"a": b"newer", "t/new": b"1"}))
        outcome = verified(bench, sample_days=1)
        assert outcome.point == bench.catalog.points()[-1].id
        assert outcome.found.names == ("missing: t/c",)

    def test_an_apply_in_the_middle_of_a_clean_compare(
        self, bench: Bench, live: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.applied_in_the_middle(bench, monkeypatch, lambda: publish(bench, 2, {"a": b"newer", "t/new": b"1"}))
        assert verified(bench, sample_days=1).found.total == 0

    @staticmethod
    def applied_in_the_middle(bench: Bench, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
        """Let something happen right before the first compare, which still holds the replica against the old point."""
        original, acts = verify_replica, [act]

        def compare(*arguments: Any, **named: Any) -> VerifyReport:
            if acts:
                acts.pop()()
            return original(*arguments, **named)

        monkeypatch.setattr(step, "verify_replica", compare)

    def test_it_waits_for_an_apply_that_is_under_way(
        self, bench: Bench, live: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(step, "_PAUSE", 0.05)
        (live / "a").unlink()
        held, ended = threading.Event(), threading.Event()

        def hold() -> None:
            with bench.catalog.lock("apply"):
                held.set()
                ended.wait(0.5)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(60)
        assert verified(bench).found.missing == 1
        thread.join()
        monkeypatch.setattr(step, "LOCK_WAIT", 0.1)
        with bench.catalog.lock("apply"), pytest.raises(TransientError, match="the catalog's lock 'apply' is busy"):
            verified(bench)

    def test_an_apply_that_was_cut_off_is_waited_for(self, bench: Bench, live: Path) -> None:
        (live / "a").unlink()
        bench.catalog.journal.write_text("{}")
        with pytest.raises(TransientError, match="an apply was cut off"):
            verified(bench)

    def test_a_manifest_that_is_not_the_sealed_one_proves_nothing(self, bench: Bench, live: Path) -> None:
        (point,) = bench.catalog.points()
        bench.catalog.manifest_path(point.id).write_bytes(b"forged")
        with pytest.raises(IntegrityError, match="is not the file that was sealed"):
            verified(bench)


def test_what_a_run_replicates_in_place_is_no_drift(
    bench: Bench, live: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In a bucket, what is staged is the newest version of its live key; the next apply settles it."""
    waiting = {b"a", b"new", b"t/c"}
    monkeypatch.setattr(VolumeTarget, "waiting", lambda _: waiting)
    put(live, {"a": b"staged", "new": b"staged"})
    (live / "t/c").unlink()
    outcome = verified(bench, repair=True)
    assert (outcome.found.total, outcome.waiting, outcome.repaired) == (0, 3, False)
    assert "without 3 that were being replicated" in outcome.in_words()
    assert (live / "a").read_bytes() == b"staged"
    put(live, {"by-hand": b"x"})
    outcome = verified(bench)
    assert (outcome.found.names, outcome.waiting) == (("unexpected: by-hand",), 3)
    assert last_verified(bench.catalog) == outcome
