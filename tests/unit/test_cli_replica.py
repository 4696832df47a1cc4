"""``incorta-dr metadata replica``, in this process; what the servers would do is written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.cli import main
from incorta_provider.steps import metadata_replica
from incorta_provider.steps.metadata_replica import ReplicaReport
from tests.builders.group import (
    Bench,
    make_bench,
    promoting,
    sealed_point,
    topology_document,
    use_at_command_line,
    with_replica,
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    document = with_replica(topology_document(tmp_path))
    bench = make_bench(tmp_path, monkeypatch, document)
    use_at_command_line(bench, document, monkeypatch)
    return bench


@pytest.fixture
def run(bench: Bench, capsys: pytest.CaptureFixture[str]) -> Run:
    def say(action: str, *argv: str, site: str = "newyork") -> tuple[int, str, str]:
        status = main(["metadata", "replica", action, "--group", "acme", "--site", site, *argv])
        out, err = capsys.readouterr()
        return status, out, err

    return say


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the servers were asked for."""
    seen: dict[str, Any] = {"restored": True, "known": True}

    def set_up(pair: Any, dump: Path, inventory: Any, folder: Path, *, sha256: str) -> bool:
        seen.update(pair=pair, dump=dump, gtid=inventory.gtid, folder=folder, sha256=sha256)
        return bool(seen["restored"])

    monkeypatch.setattr(metadata_replica.metadata_replica, "set_up", set_up)
    monkeypatch.setattr(metadata_replica.metadata_replica, "remove", lambda admin: seen["known"])
    return seen


def test_a_replica_is_set_up_from_a_point_and_told_to_the_ledger(bench: Bench, run: Run, asked: dict[str, Any]) -> None:
    point = sealed_point(bench.catalog, gtid="0-1-7")
    status, out, _ = run("setup")
    assert (status, out) == (0, f"newyork was restored to {point.id} and replicates berlin, held at 0-1-7\n")
    assert (asked["pair"].source.site, asked["pair"].replica_account.site) == ("berlin", "newyork")
    assert (asked["dump"], asked["sha256"]) == (bench.catalog.dump_path(point.id), point.dump_sha256)
    assert asked["folder"] == bench.catalog.root / "replica-setup"
    assert bench.last("metadata.replica.set_up") == {"point": point.id, "gtid": "0-1-7"}
    asked["restored"] = False
    assert "newyork is already what is in" in run("setup", "--point", point.id)[1]


def test_a_site_follows_the_active_one_only(bench: Bench, run: Run, asked: dict[str, Any]) -> None:
    sealed_point(bench.catalog, gtid="0-1-7")
    promoting(bench)
    status, _, err = run("setup")
    assert status == 1
    assert "newyork is not made a replica of berlin: the role is promoting, active is newyork" in err
    assert "pair" not in asked


def test_the_status_is_1_while_something_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ReplicaReport(["reads from db:1"], [])
    monkeypatch.setattr("incorta_provider.cli_replica.replica_report", lambda access, site, source: found)
    assert run("status")[:2] == (0, "reads from db:1\n")
    found.problems.append("it is not connected to the source")
    assert run("status")[:2] == (1, "reads from db:1\nPROBLEM: it is not connected to the source\n")


def test_a_replica_is_removed(bench: Bench, run: Run, asked: dict[str, Any]) -> None:
    assert run("remove")[:2] == (0, "newyork replicates no more\n")
    assert bench.events() == ["metadata.replica.removed"]
    asked["known"] = False
    assert run("remove")[:2] == (0, "newyork is no replica\n")


def test_a_group_that_asks_for_none_is_told_how(
    tmp_path: Path, run: Run, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_at_command_line(bench, topology_document(tmp_path), monkeypatch)
    status, _, err = run("status")
    assert status == 1
    assert "group acme has no metadata.replica: its metadata are dumped and restored" in err
