from __future__ import annotations

from datetime import timedelta

import pytest

from incorta_provider.dr.topology import Topology
from incorta_provider.steps.access import group_access
from incorta_provider.steps.pin import pin
from incorta_provider.steps.status import ledger_faults, status_lines
from incorta_provider.steps.verify_replica import verify
from incorta_provider.storage.apply.actual import mark_diverged
from incorta_provider.storage.records.breaker_file import BreakerFile, Counts, Held, Override
from tests.builders.group import NOON, PASSWORD, Bench, owner, sealed_point, topology_document

ROLE = "    role: epoch 1, active berlin, steady, by dana at 2026-11-25 12:00:00 UTC"


def note(bench: Bench, event: str, *, actor: str = "hana") -> None:
    bench.access.site("newyork").ledger.append(
        event, at=bench.clock.now, key=event, group="acme", run_id="r1", actor=actor, details={}
    )


def lines_of(bench: Bench, site: str) -> list[str]:
    """Return the lines of one site."""
    lines = list(status_lines(bench.access))
    start = lines.index(f"  site {site}")
    end = next((at for at, line in enumerate(lines) if at > start and line.startswith("  site ")), len(lines))
    return lines[start + 1 : end]


def test_a_group_without_a_recovery_point(bench: Bench) -> None:
    assert list(status_lines(bench.access)) == [
        "protection group acme",
        "  site berlin",
        ROLE,
        "    lock: free",
        "    recovery points: none",
        "  site newyork",
        ROLE,
        "    lock: free",
        "    recovery points: none",
    ]


def test_points_the_live_one_the_lock_and_the_ledger_are_shown(bench: Bench) -> None:
    old = sealed_point(bench.catalog, "scheduled__1", opened_at=NOON - timedelta(minutes=4))
    new = sealed_point(bench.catalog, "scheduled__2", opened_at=NOON - timedelta(minutes=2))
    bench.catalog.set_live(old.id)
    bench.ensembles.lock("newyork").acquire(owner("scheduled__3"))
    note(bench, "point.sealed")
    note(bench, "lock.released", actor="")
    bench.clock.go_on(30)
    assert lines_of(bench, "newyork") == [
        ROLE,
        "    lock: held by run scheduled__3 of dag replicate on worker-1 for 0:00:30 (replication)",
        "    recovery points: 2; newest is 150 s old, within the objective of 300 s",
        f"      {old.id} (live): 0 files, 2 tables, 3 rows, epoch 1",
        f"      {new.id}: 0 files, 2 tables, 3 rows, epoch 1",
        "    last in the ledger:",
        "      2026-11-25 12:00:00 UTC point.sealed by hana (r1)",
        "      2026-11-25 12:00:00 UTC lock.released by unknown (r1)",
    ]


def test_a_replica_that_services_write_to_is_no_point_any_more(bench: Bench) -> None:
    point = sealed_point(bench.catalog)
    bench.catalog.set_live(point.id)
    mark_diverged(bench.catalog)
    shown = next(line for line in lines_of(bench, "newyork") if point.id in line)
    assert f"{point.id} (live, and written to since): " in shown


@pytest.mark.parametrize(("age", "verdict"), [(300, "within"), (301, "BEYOND")])
def test_the_objective_is_met_up_to_its_last_second(bench: Bench, age: int, verdict: str) -> None:
    sealed_point(bench.catalog, opened_at=NOON - timedelta(seconds=age))
    assert f"    recovery points: 1; newest is {age} s old, {verdict} the objective of 300 s" in lines_of(
        bench, "newyork"
    )


def test_only_the_newest_points_and_lines_are_listed(bench: Bench) -> None:
    points = [
        sealed_point(bench.catalog, f"scheduled__{number}", opened_at=NOON - timedelta(seconds=60 - number))
        for number in range(7)
    ]
    for number in range(7):
        note(bench, f"event.{number}")
    text = "\n".join(lines_of(bench, "newyork"))
    assert [point.id in text for point in points] == [False, False, True, True, True, True, True]
    assert [f"event.{number}" in text for number in range(7)] == [False, False, True, True, True, True, True]
    assert "recovery points: 7;" in text


def test_a_site_that_is_down_is_told_and_the_rest_is_shown(bench: Bench) -> None:
    sealed_point(bench.catalog)
    bench.ensembles.down.add("berlin_zookeeper")
    assert lines_of(bench, "berlin") == [
        "    role: unknown: no quorum: 0 of 1 members serve, no leader (berlin_zookeeper:2181 is down)",
        "    lock: unknown: no quorum: 0 of 1 members serve, no leader (berlin_zookeeper:2181 is down)",
        "    recovery points: none",
    ]
    assert lines_of(bench, "newyork")[:2] == [ROLE, "    lock: free"]
    assert "    recovery points: 1;" in lines_of(bench, "newyork")[2]


def test_a_registry_that_was_never_initialised_tells_what_to_do(bench: Bench) -> None:
    bench.ensembles.session("newyork").nodes.clear()
    assert lines_of(bench, "newyork")[0] == "    role: not initialised; run `incorta-dr epoch init`"


def test_a_missing_connection_is_told_in_its_line(bench: Bench) -> None:
    bench.absent.add("newyork_zookeeper")
    assert lines_of(bench, "newyork")[:2] == [
        "    role: unknown: no connection 'newyork_zookeeper' [the test]",
        "    lock: unknown: no connection 'newyork_zookeeper' [the test]",
    ]


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        ("live.json", "recovery points: unknown: the file is not valid JSON"),
        ("ledger.jsonl", "last in the ledger: unknown: a line of the ledger is not an entry"),
    ],
)
def test_damage_is_told_in_its_line_and_the_rest_is_shown(bench: Bench, damaged: str, told: str) -> None:
    point = sealed_point(bench.catalog)
    bench.catalog.set_live(point.id)
    note(bench, "point.sealed")
    target = bench.catalog.root / damaged
    target.write_text("no longer what it was\n")
    lines = lines_of(bench, "newyork")
    assert lines[:2] == [ROLE, "    lock: free"]
    assert any(line.startswith(f"    {told}") and line.endswith(f"[{target}]") for line in lines), lines
    others = {"recovery points", "last in the ledger"} - {told.partition(":")[0]}
    assert any(line.startswith(f"    {other}") and "unknown" not in line for other in others for line in lines), lines


def test_a_point_whose_record_is_damaged_is_told_and_the_others_are_shown(bench: Bench) -> None:
    old = sealed_point(bench.catalog, "scheduled__1", opened_at=NOON - timedelta(minutes=4))
    new = sealed_point(bench.catalog, "scheduled__2", opened_at=NOON - timedelta(minutes=2))
    (bench.catalog.point_dir(new.id) / "point.json").write_text("{")
    lines = lines_of(bench, "newyork")
    assert lines[2] == "    recovery points: 1; newest is 240 s old, within the objective of 300 s"
    assert old.id in lines[3]
    assert lines[4].startswith(
        f"    damaged point {new.id}: the record of a recovery point is damaged: the file is not "
    )


def test_pins_the_breaker_and_the_last_compare_are_shown(bench: Bench) -> None:
    point = sealed_point(bench.catalog)
    site = bench.access.site("newyork")
    site.target.apply(point.id)
    pin(bench.access, site, point.id, reason="before the upgrade", by="hana")
    counts = Counts(removed=160, changed=0)
    held = Held(run_id="r9", at=NOON, reasons=("160 of 302 files were removed",), counts=counts, pinned=point.id)
    BreakerFile(bench.catalog).hold(held)
    verify(bench.access, site, by="dana", run_id="v1")
    upkeep = [
        f"    pinned {point.id}: before the upgrade (by hana)",
        "    change breaker: holds run r9 since 2026-11-25 12:00:00 UTC",
        "      160 of 302 files were removed",
    ]
    compared = (
        f"    replica compared at 2026-11-25 12:00:00 UTC: equal to {point.id}: 0 file(s), 0 of them read (0 bytes)"
    )
    lines = lines_of(bench, "newyork")
    start = lines.index(upkeep[0])
    assert lines[start : start + 4] == [*upkeep, compared]
    word = Override(run_id="r9", reason="it is meant", by="dana", at=NOON, counts=counts)
    BreakerFile(bench.catalog).save(word)
    assert "    change breaker: run r9 may go through, by dana: it is meant" in lines_of(bench, "newyork")


def test_a_damaged_pin_is_told_in_its_line(bench: Bench) -> None:
    point = sealed_point(bench.catalog)
    pin(bench.access, bench.access.site("newyork"), point.id, reason="audit", by="hana")
    path = bench.catalog.root / "pins" / f"{point.id}.json"
    path.write_text("{}")
    lines = lines_of(bench, "newyork")
    assert any(
        line.startswith("    upkeep: unknown: the file is not a valid Pin") and str(path) in line for line in lines
    )


def test_a_catalog_that_may_not_be_read_is_told_and_is_not_none(bench: Bench) -> None:
    """A folder in place of the file stands for whatever the file system says no to."""
    sealed_point(bench.catalog)
    (bench.catalog.root / "ledger.jsonl").mkdir()
    (bench.catalog.root / "live.json").mkdir()
    lines = lines_of(bench, "newyork")
    root = bench.catalog.root
    assert f"    recovery points: unknown: Is a directory [{root / 'live.json'}]" in lines
    assert f"    last in the ledger: unknown: Is a directory [{root / 'ledger.jsonl'}]" in lines


def test_a_catalog_of_a_kind_that_is_not_supported_is_told_in_its_lines(bench: Bench) -> None:
    document = topology_document(bench.root)
    document["groups"]["acme"]["sites"]["newyork"]["catalog"] = "file://elsewhere/catalog"
    bench.access = group_access(Topology.model_validate(document), "acme", bench.access.connections, bench.access.clock)
    lines = lines_of(bench, "newyork")
    assert lines[0] == ROLE
    assert sum("unknown" in line and "elsewhere" in line for line in lines) == 4


def test_no_secret_is_shown(bench: Bench) -> None:
    assert PASSWORD not in "\n".join(status_lines(bench.access))


def test_a_ledger_is_counted_with_its_faults(bench: Bench) -> None:
    ledger = bench.access.site("newyork").ledger
    assert ledger_faults(ledger) == (0, [])
    note(bench, "one")
    note(bench, "two")
    assert ledger_faults(ledger) == (2, [])
    ledger.path.write_text(ledger.path.read_text().replace('"hana"', '"mallory"', 1))
    count, faults = ledger_faults(ledger)
    assert count == 2
    assert faults == ["line 1: changed after it was written"]
