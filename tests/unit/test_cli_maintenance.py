"""``incorta-dr prune``, ``pin``, ``unpin``, ``breaker override`` and ``verify``, in this process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from incorta_provider.cli import main
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.steps.access import utc_now
from incorta_provider.storage.apply.actual import mark_diverged
from incorta_provider.storage.records.breaker_file import BreakerFile, Counts, Held
from incorta_provider.storage.records.pins import Pins
from tests.builders.group import (
    PASSWORD,
    Bench,
    make_bench,
    sealed_point,
    topology_document,
    use_at_command_line,
    write_topology,
)

PLACE = ("--group", "acme", "--site", "newyork")
Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = make_bench(tmp_path, monkeypatch)
    document = topology_document(tmp_path)
    document["groups"]["acme"]["retention"] = {"count": 1, "tiers": []}
    use_at_command_line(bench, document, monkeypatch)
    return bench


@pytest.fixture
def run(bench: Bench, capsys: pytest.CaptureFixture[str]) -> Run:
    def say(*argv: str) -> tuple[int, list[str], str]:
        try:
            status = main(argv)
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        out, err = capsys.readouterr()
        assert PASSWORD not in out + err
        assert "Traceback" not in out + err
        return status, out.splitlines(), err

    return say


@pytest.fixture
def two(bench: Bench) -> tuple[RecoveryPoint, RecoveryPoint]:
    """Seal two points, two hours and one hour old."""
    now = utc_now()
    first, second = (
        sealed_point(bench.catalog, f"scheduled__{number}", opened_at=now - timedelta(hours=3 - number))
        for number in (1, 2)
    )
    return first, second


Two = tuple[RecoveryPoint, RecoveryPoint]


class TestPrune:
    def test_it_only_says_what_it_would_do(self, bench: Bench, run: Run, two: Two) -> None:
        first, second = two
        assert run("prune", *PLACE) == (
            0,
            [
                f"drop    {first.id}: 2 h old, and none of: the newest 1",
                f"keep    {second.id}: the newest point",
                "1 of 2 point(s), 0 file(s), 0 bytes would be deleted",
                "nothing was changed; --execute does it",
            ],
            "",
        )
        assert len(bench.catalog.points()) == 2

    def test_it_does_it_on_demand(self, bench: Bench, run: Run, two: Two) -> None:
        first, second = two
        assert run("prune", *PLACE, "--execute") == (
            0,
            [
                f"drop    {first.id}: 2 h old, and none of: the newest 1",
                f"keep    {second.id}: the newest point",
                "1 of 2 point(s), 0 file(s), 0 bytes deleted",
            ],
            "",
        )
        assert [point.id for point in bench.catalog.points()] == [second.id]
        for event, entry in zip(
            ("prune.planned", "point.dropped"), bench.access.site("newyork").ledger.entries(), strict=True
        ):
            assert (entry.event, entry.actor, entry.run_id) == (event, "dana", "command line")

    def test_without_a_retention_the_defaults_are_named(self, bench: Bench, run: Run, two: Two) -> None:
        write_topology(bench.root)
        status, out, _ = run("prune", *PLACE)
        assert (status, out[0]) == (0, "the topology has no retention for this group; these are the defaults")
        assert out[1] == f"keep    {two[0].id}: one of the newest 10"

    def test_a_site_that_is_none(self, run: Run) -> None:
        status, out, err = run("prune", "--group", "acme", "--site", "paris")
        assert (status, out) == (1, [])
        assert "group acme has no site 'paris', only berlin, newyork" in err


class TestPin:
    def test_a_pin_is_made_and_taken_away(self, bench: Bench, run: Run, two: Two) -> None:
        first, _ = two
        assert run("pin", *PLACE, "--point", first.id, "--reason", "before the upgrade") == (
            0,
            [f"{first.id} is pinned: before the upgrade (by dana)"],
            "",
        )
        assert run("prune", *PLACE)[1][0] == f"keep    {first.id}: pinned: before the upgrade (by dana)"
        assert run("unpin", *PLACE, "--point", first.id, "--reason", "done") == (
            0,
            [f"{first.id} is not pinned any more"],
            "",
        )
        assert Pins(bench.catalog).all() == []
        assert bench.events() == ["point.pinned", "point.unpinned"]

    @pytest.mark.parametrize("name", ["pin", "unpin"])
    def test_point_and_reason_are_needed(self, bench: Bench, run: Run, two: Two, name: str) -> None:
        assert run(name, *PLACE, "--point", two[0].id)[0] == 2
        assert run(name, *PLACE, "--reason", "why")[0] == 2
        status, _, err = run(name, *PLACE, "--point", two[0].id, "--reason", "")
        assert status == 1
        assert "a reason is needed, for the ledger" in err
        assert bench.events() == []


class TestBreaker:
    def test_the_run_that_is_held_is_let_through(self, bench: Bench, run: Run) -> None:
        counts = Counts(removed=160, changed=0)
        held = Held(run_id="r9", at=utc_now(), reasons=("160 of 302 files were removed",), counts=counts, pinned=None)
        BreakerFile(bench.catalog).hold(held)
        status, out, err = run("breaker", "override", *PLACE, "--run-id", "r8", "--reason", "it is meant")
        assert (status, out) == (1, [])
        assert "does not hold run r8, it holds run r9" in err
        assert run("breaker", "override", *PLACE, "--run-id", "r9", "--reason", "it is meant") == (
            0,
            [
                "run r9 may go through, up to what was seen:",
                "  160 of 302 files were removed",
                "clear the task that failed in that run within an hour; other runs stand aside until then",
            ],
            "",
        )
        word = BreakerFile(bench.catalog).override("r9")
        assert word is not None
        assert (word.by, word.reason, word.counts) == ("dana", "it is meant", counts)

    def test_run_and_reason_are_needed(self, run: Run) -> None:
        for argv in (["--run-id", "r9"], ["--reason", "why"]):
            assert run("breaker", "override", *PLACE, *argv)[0] == 2


class TestVerify:
    def test_a_replica_that_is_its_point(self, bench: Bench, run: Run) -> None:
        point = sealed_point(bench.catalog)
        bench.access.site("newyork").target.apply(point.id)
        told = f"equal to {point.id}: 0 file(s), 0 of them read (0 bytes)"
        for reading in ([], ["--deep"], ["--sample-days", "30"], ["--repair"]):
            assert run("verify", *PLACE, *reading) == (0, [told], "")

    def test_drift_ends_with_1_until_it_is_repaired(self, bench: Bench, run: Run) -> None:
        point = sealed_point(bench.catalog)
        site = bench.access.site("newyork")
        site.target.apply(point.id)
        (bench.storage("newyork") / "by hand").write_text("x")
        status, out, _ = run("verify", *PLACE)
        assert status == 1
        assert out == [
            f"differed from {point.id} in 1 place(s) (0 missing, 0 different, 1 unexpected): "
            "0 file(s), 0 of them read (0 bytes)",
            "  unexpected: by hand",
        ]
        status, out, _ = run("verify", *PLACE, "--repair")
        assert (status, out[0][-8:], out[-1]) == (
            0,
            "repaired",
            "what did not belong there is in the history of the catalog",
        )
        assert run("verify", *PLACE)[0] == 0

    def test_a_repair_must_know_whether_the_site_is_in_use(
        self, bench: Bench, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        point = sealed_point(bench.catalog)
        bench.access.site("newyork").target.apply(point.id)
        by_hand = bench.storage("newyork") / "by hand"
        by_hand.write_text("x")
        monkeypatch.delenv("INCORTA_DR_CONNECTIONS")
        status, out, err = run("verify", *PLACE, "--repair")
        assert (status, out) == (1, [])
        assert "connection 'newyork_zookeeper' is needed and no file of connections is named" in err
        assert by_hand.exists()
        assert run("verify", *PLACE)[1][1] == "  unexpected: by hand"

    def test_a_site_with_nothing_to_compare_says_so(self, bench: Bench, run: Run) -> None:
        assert run("verify", *PLACE) == (0, ["no recovery point was applied yet: there is nothing to compare"], "")
        point = sealed_point(bench.catalog)
        bench.access.site("newyork").target.apply(point.id)
        mark_diverged(bench.catalog)
        status, out, _ = run("verify", *PLACE, "--repair")
        assert (status, out) == (
            0,
            [f"services ran on the replica since it was {point.id}: it is not a recovery point any more"],
        )

    @pytest.mark.parametrize("argv", [["--deep", "--sample-days", "3"], ["--sample-days", "0"], ["--sample-days", "x"]])
    def test_one_way_of_reading_at_a_time(self, run: Run, argv: list[str]) -> None:
        assert run("verify", *PLACE, *argv)[0] == 2
