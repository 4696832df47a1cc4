from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.cli import main
from incorta_provider.storage.flow.limit import Limit
from tests.builders.group import Bench, make_bench, topology_document, write_topology

PLACE = ("--group", "acme", "--site", "newyork")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = make_bench(tmp_path, monkeypatch)
    document = topology_document(tmp_path)
    document["groups"]["acme"]["replication"] = {"bandwidth": "2MB"}
    write_topology(tmp_path, document)
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(tmp_path / "incorta_dr.yaml"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("USER", "dana")
    return bench


def share(bench: Bench) -> int | None:
    """Return what a running copy of the topology's 2 MB/s reads now."""
    catalog = bench.access.site("newyork").catalog.root
    return Limit(catalog, 2_000_000, catalog / "workspaces").share()


def test_a_limit_is_set_lifted_and_cleared_and_each_stands_in_the_ledger(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert share(bench) == 2_000_000
    assert main(["bandwidth", "set", *PLACE, "750kB"]) == 0
    assert capsys.readouterr().out.startswith("newyork: at most 750.0 kB/s, set by dana at ")
    assert share(bench) == 750_000
    assert main(["bandwidth", "set", *PLACE, "unlimited"]) == 0
    assert capsys.readouterr().out.startswith("newyork: no bandwidth limit, set by dana at ")
    assert share(bench) is None
    assert main(["bandwidth", "clear", *PLACE]) == 0
    assert capsys.readouterr().out == "newyork: at most 2.0 MB/s, by the topology\n"
    assert share(bench) == 2_000_000
    entries = [(line.event, line.actor, line.details) for line in bench.access.site("newyork").ledger.recent(9)]
    assert entries[-3:] == [
        ("bandwidth.set", "dana", {"bytes_per_second": 750_000}),
        ("bandwidth.set", "dana", {"bytes_per_second": None}),
        ("bandwidth.cleared", "dana", {}),
    ]


def test_what_is_no_limit_is_refused_and_changes_nothing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bandwidth", "set", *PLACE, "fast"])
    assert caught.value.code == 2
    assert "'fast' is not a size such as 20MB, 1.5 GiB or 500000, or unlimited" in capsys.readouterr().err
    assert share(bench) == 2_000_000
