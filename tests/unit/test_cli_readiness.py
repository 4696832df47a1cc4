from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from incorta_provider.cli import main
from incorta_provider.dr.inventory import Inventory
from incorta_provider.exceptions import ConfigurationError, PreconditionError, TransientError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.readiness.finding import Finding, Severity
from incorta_provider.metadata.rights import Grant
from incorta_provider.steps import metadata_readiness
from tests.builders.group import (
    SITES,
    Bench,
    make_bench,
    sealed_point,
    topology_document,
    use_at_command_line,
    with_replica,
    write_topology,
)

PLACE = ("metadata", "readiness", "--group", "acme", "--site", "newyork")
LACKING = Finding(Severity.BLOCKER, "collations", "newyork", "the DR server has no collation x", "Convert the tables.")
NOTE = Finding(Severity.NOTE, "time_zone", "newyork", "another one")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(write_topology(tmp_path)))
    database = {"conn_type": "mysql", "host": "127.0.0.1", "port": 1, "login": "incorta"}
    (tmp_path / "connections.json").write_text(json.dumps({f"{site}_metadata": database for site in SITES}))
    monkeypatch.setenv("INCORTA_DR_CONNECTIONS", str(tmp_path / "connections.json"))
    return make_bench(tmp_path, monkeypatch)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Return what the databases shall be like; no server is asked."""
    findings: list[Finding] = []

    def pair(source: Endpoint, target: Endpoint, now: datetime, rules: object) -> list[Finding]:
        assert {source.site, target.site} == set(SITES)
        assert now.utcoffset() is not None
        return findings

    monkeypatch.setattr(metadata_readiness, "pair_findings", pair)
    return findings


def test_a_pair_in_order_is_ready(bench: Bench, found: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLACE]) == 0
    assert capsys.readouterr().out == ("metadata of berlin to newyork, judged by berlin as it is now\nready\n")


def test_findings_are_a_table_and_a_blocker_is_an_exit_status(
    bench: Bench, found: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    found.append(NOTE)
    assert main([*PLACE]) == 0
    found.insert(0, LACKING)
    capsys.readouterr()
    assert main([*PLACE]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "severity  subject     where    finding",
        "blocker   collations  newyork  the DR server has no collation x",
        "                               → Convert the tables.",
        "note      time_zone   newyork  another one",
        "NOT ready: what is a blocker makes a dump or a restore fail, or come out wrong",
    ]


def test_an_account_of_the_replica_that_is_locked_is_a_blocker(
    bench: Bench, found: list[Finding], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_at_command_line(bench, with_replica(topology_document(bench.root)), monkeypatch)
    database = {"conn_type": "mysql", "host": "127.0.0.1", "port": 1, "login": "incorta"}
    known = {f"{site}_{use}": database for site in SITES for use in ("metadata", "replica")}
    (bench.root / "connections.json").write_text(json.dumps(known))

    def asked(admin: Endpoint) -> tuple[str, list[Grant]]:
        if admin.site == "newyork":
            raise PreconditionError("the account is locked", where=admin.label, fix="Unlock it.")
        return "'dr'@'%'", []

    monkeypatch.setattr(metadata_readiness, "lacking_rights", asked)
    monkeypatch.setattr(metadata_readiness, "lacking_of_applier", lambda reader: ("", []))
    monkeypatch.setattr(metadata_readiness, "ensure_confined", lambda reader, admin: None)
    assert main([*PLACE]) == 1
    assert "blocker   replica  newyork  the account is locked" in capsys.readouterr().out


def test_programs_read_json(bench: Bench, found: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    found.append(LACKING)
    assert main([*PLACE, "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "source": "berlin",
        "target": "newyork",
        "judged_by": "berlin as it is now",
        "ready": False,
        "findings": [
            {
                "severity": "blocker",
                "subject": "collations",
                "site": "newyork",
                "reason": "the DR server has no collation x",
                "fix": "Convert the tables.",
            }
        ],
    }


def test_the_way_home_is_judged_too(bench: Bench, found: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metadata", "readiness", "--group", "acme", "--site", "berlin"]) == 0
    assert capsys.readouterr().out.startswith("metadata of newyork to berlin, ")
    assert main([*PLACE, "--source", "berlin"]) == 0


def test_a_source_that_is_gone_is_judged_by_the_newest_point(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(source: Endpoint, *_: object) -> list[Finding]:
        raise TransientError("the database cannot be used now", where=source.label, fix="Try again.")

    def restore(target: Endpoint, inventory: Inventory, now: datetime, *, source: str, mapping: None) -> list[Finding]:
        assert (target.site, inventory.rows, source) == ("newyork", 3, "berlin")
        return [NOTE]

    monkeypatch.setattr(metadata_readiness, "pair_findings", gone)
    monkeypatch.setattr(metadata_readiness, "restore_findings", restore)
    assert main([*PLACE]) == 1
    assert "the database cannot be used now" in capsys.readouterr().err
    point = sealed_point(bench.catalog, "scheduled__1")
    assert main([*PLACE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"metadata of berlin to newyork, judged by recovery point {point.id}"
    assert lines[2] == "warning   source     berlin   it cannot be asked: the database cannot be used now"


def test_an_account_that_could_not_fence_is_named_with_what_it_lacks(
    bench: Bench, found: list[Finding], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(endpoint: Endpoint) -> None:
        if endpoint.site == "berlin":
            raise ConfigurationError("the account lacks rights to fence", fix="Run: GRANT CREATE USER ON *.* TO ...")

    monkeypatch.setattr(metadata_readiness, "ensure_fence_rights", lacking)
    document = topology_document(bench.root)
    for name, site in document["groups"]["acme"]["sites"].items():
        site["metadata"]["fence_conn_id"] = f"{name}_fence"
    write_topology(bench.root, document)
    database = {"conn_type": "mysql", "host": "127.0.0.1", "port": 1, "login": "incorta_dr"}
    (bench.root / "connections.json").write_text(json.dumps({f"{site}_fence": database for site in SITES}))
    assert main([*PLACE]) == 0
    told = capsys.readouterr().out
    assert "warning   fence    berlin  the account lacks rights to fence" in told
    assert "GRANT CREATE USER" in told
