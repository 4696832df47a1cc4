"""Every command, in this process: what it prints, where, and with which exit status."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incorta_provider import __version__, cli
from incorta_provider.cli import main
from incorta_provider.dr.topology import Topology
from incorta_provider.steps.access import utc_now
from tests.builders.group import (
    PASSWORD,
    SIGNING_KEY,
    SITES,
    Bench,
    make_bench,
    owner,
    promoting,
    sealed_point,
    topology_document,
    write_topology,
)


@dataclass(frozen=True)
class Said:
    """What a command said."""

    status: int
    out: list[str]
    err: str


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a group with its topology and its connections in files, which the environment names."""
    bench = make_bench(tmp_path, monkeypatch)
    write_topology(tmp_path)
    write_connections(tmp_path)
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(tmp_path / "incorta_dr.yaml"))
    monkeypatch.setenv("INCORTA_DR_CONNECTIONS", str(tmp_path / "connections.json"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("USER", "dana")
    return bench


def write_connections(root: Path) -> Path:
    group = Topology.model_validate(topology_document(root)).groups["acme"]
    ids = {group.approval.conn_id}.union(*(site.conn_ids for site in group.sites.values()))
    fields = {"conn_type": "generic", "host": "127.0.0.1", "port": 1, "login": "incorta", "password": PASSWORD}
    document = {conn_id: {**fields, "extra": json.dumps({"token": SIGNING_KEY})} for conn_id in ids}
    path = root / "connections.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return what runs a command; none of them may ever show a secret or a stack trace."""

    def say(*argv: str) -> Said:
        try:
            status = main(argv)
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        out, err = capsys.readouterr()
        for secret in (PASSWORD, SIGNING_KEY):
            assert secret not in out + err
        assert "Traceback" not in out + err
        return Said(status, out.splitlines(), err)

    return say


def spoil(bench: Bench, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the topology file."""
    document = topology_document(bench.root)
    change(document["groups"]["acme"])
    write_topology(bench.root, document)


class TestTyping:
    def test_the_version_is_told(self, run: Callable[..., Said]) -> None:
        assert run("--version") == Said(0, [f"incorta-dr {__version__}"], "")

    @pytest.mark.parametrize(
        "argv",
        [
            [],
            ["statsu"],
            ["topology"],
            ["ledger"],
            ["epoch", "init"],
            ["epoch", "init", "--group", "acme"],
            ["lock", "release", "--group", "acme", "--site", "newyork"],
            ["status", "--groups"],
            ["status", "acme"],
        ],
    )
    def test_a_command_that_was_typed_wrong_ends_with_2_and_shows_how(
        self, run: Callable[..., Said], argv: list[str]
    ) -> None:
        said = run(*argv)
        assert said.status == 2
        assert said.out == []
        assert said.err.startswith("usage: incorta-dr")

    @pytest.mark.parametrize("argv", [["--help"], ["lock", "release", "--help"], ["topology", "--help"]])
    def test_help_is_no_error(self, run: Callable[..., Said], argv: list[str]) -> None:
        said = run(*argv)
        assert (said.status, said.err) == (0, "")
        assert said.out[0].startswith("usage: incorta-dr")

    def test_help_lists_every_command(self, run: Callable[..., Said]) -> None:
        listed = [words[0] for line in run("--help").out if line.startswith("    ") and (words := line.split())]
        assert {name for names in cli.ADDED for name in names} <= set(listed)

    @pytest.mark.parametrize("names", cli.ADDED, ids=" ".join)
    def test_each_command_is_added_by_what_is_said_to_add_it(self, names: tuple[str, ...]) -> None:
        commands = argparse.ArgumentParser().add_subparsers()
        cli.ADDED[names](commands)
        assert sorted(commands.choices) == sorted(names)

    def test_the_options_in_front_of_a_command_are_not_taken_for_it(
        self, bench: Bench, run: Callable[..., Said]
    ) -> None:
        """Though a file may be called like one."""
        (bench.root / "incorta_dr.yaml").rename(bench.root / "roles")
        said = run("--top", str(bench.root / "roles"), f"--connections={bench.root / 'status'}", "topology", "check")
        assert (said.status, said.out[0]) == (0, "group acme: primary berlin, DR newyork")

    def test_a_missing_topology_names_option_and_variable(
        self, bench: Bench, run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW__INCORTA_DR__TOPOLOGY")
        for argv in (["status"], ["topology", "check"], ["ledger", "verify"]):
            assert run(*argv) == Said(
                1,
                [],
                "incorta-dr: no topology file is named [command line]. "
                "Next: Give --topology FILE, or set AIRFLOW__INCORTA_DR__TOPOLOGY.\n",
            )

    def test_an_option_goes_before_the_environment(self, bench: Bench, run: Callable[..., Said]) -> None:
        other = bench.root / "other.yaml"
        said = run("--topology", str(other), "status")
        assert said == Said(
            1,
            [],
            f"incorta-dr: cannot read the topology: No such file or directory [{other}]. "
            "Next: Set [incorta_dr] topology to the path of incorta_dr.yaml.\n",
        )

    @pytest.mark.parametrize("content", [None, "no JSON", "[]", '{"newyork_zookeeper": "mysql://uri"}'])
    def test_a_connections_file_that_is_none_is_told(
        self, bench: Bench, run: Callable[..., Said], content: str | None
    ) -> None:
        path = bench.root / "connections.json"
        path.unlink()
        if content is not None:
            path.write_text(content)
        said = run("epoch", "init", "--group", "acme", "--active", "berlin")
        assert said.status == 1
        assert said.out == []
        assert said.err.startswith("incorta-dr: ")
        assert said.err.count("\n") == 1
        assert "onnection" in said.err

    @pytest.mark.parametrize(
        "argv",
        [
            ["status", "--group", "acne"],
            ["ledger", "verify", "--group", "acne"],
            ["epoch", "init", "--group", "acne", "--active", "berlin"],
            ["lock", "release", "--group", "acne", "--site", "newyork", "--run", "r1"],
        ],
    )
    def test_an_unknown_group_is_told_with_those_there_are(
        self, bench: Bench, run: Callable[..., Said], argv: list[str]
    ) -> None:
        said = run(*argv)
        assert said.status == 1
        assert said.err == (
            "incorta-dr: there is no protection group 'acne', only acme [topology]. Next: Use one of these names.\n"
        )

    @pytest.mark.parametrize(
        "argv",
        [
            ["epoch", "init", "--group", "acme", "--active", "tokyo"],
            ["lock", "release", "--group", "acme", "--site", "tokyo", "--run", "r1"],
        ],
    )
    def test_an_unknown_site_is_told_with_those_there_are(
        self, bench: Bench, run: Callable[..., Said], argv: list[str]
    ) -> None:
        said = run(*argv)
        assert said.status == 1
        assert "group acme has no site 'tokyo', only berlin, newyork" in said.err


UNFENCED = "its database is not fenced when a cutover takes the role from it"


def with_accounts_that_fence(group: dict[str, Any]) -> None:
    for name, site in group["sites"].items():
        site["metadata"]["fence_conn_id"] = f"{name}_metadata_fence"


class TestTopology:
    def test_a_right_one_is_summed_up(self, bench: Bench, run: Callable[..., Said]) -> None:
        spoil(bench, with_accounts_that_fence)
        assert run("topology", "check") == Said(0, ["group acme: primary berlin, DR newyork"], "")

    def test_it_needs_no_connections(
        self, bench: Bench, run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("INCORTA_DR_CONNECTIONS", str(bench.root / "nowhere.json"))
        assert run("topology", "check").status == 0

    def test_what_weakens_the_promise_is_a_warning_and_no_failure(self, bench: Bench, run: Callable[..., Said]) -> None:
        spoil(bench, lambda group: group.pop("metadata"))
        assert run("topology", "check") == Said(
            0,
            [
                "group acme: primary berlin, DR newyork",
                "  warning: no metadata.references: a file that the metadata names could be missing unnoticed",
                "  warning: no metadata.rewrite: nothing is rewritten at a cutover",
                *(f"  warning: no metadata.fence_conn_id of {site}: {UNFENCED}" for site in ("berlin", "newyork")),
            ],
            "",
        )

    def test_a_wrong_one_is_told_with_file_and_line(self, bench: Bench, run: Callable[..., Said]) -> None:
        spoil(bench, lambda group: group.update(primary="berlim"))
        said = run("topology", "check")
        assert (said.status, said.out) == (1, [])
        assert f"{bench.root}/incorta_dr.yaml:2: groups.acme: primary 'berlim' is not one of the sites" in said.err

    def test_a_file_that_is_no_topology_is_told(self, bench: Bench, run: Callable[..., Said]) -> None:
        path = bench.root / "incorta_dr.yaml"
        for content in (b"", b"\xff\xfe", b"groups: [", b"a: &a [*a]", b"just text"):
            path.write_bytes(content)
            said = run("topology", "check")
            assert (said.status, said.out) == (1, [])
            assert str(path) in said.err


class TestStatus:
    def test_it_shows_role_lock_and_points_of_each_site(self, bench: Bench, run: Callable[..., Said]) -> None:
        point = sealed_point(bench.catalog, opened_at=utc_now() - timedelta(seconds=90))
        said = run("status")
        assert (said.status, said.err) == (0, "")
        assert said.out[:5] == [
            "protection group acme",
            "  site berlin",
            "    role: epoch 1, active berlin, steady, by dana at 2026-11-25 12:00:00 UTC",
            "    lock: free",
            "    recovery points: none",
        ]
        age = re.fullmatch(r"    recovery points: 1; newest is (\d+) s old, within the objective of 300 s", said.out[8])
        assert age is not None
        assert 90 <= int(age[1]) < 150
        assert said.out[9] == f"      {point.id}: 0 files, 2 tables, 3 rows, epoch 1"
        again = run("status", "--group", "acme")
        assert (again.out[:8], again.out[9:]) == (said.out[:8], said.out[9:])  # the newest point is older by now

    def test_a_site_that_is_down_is_no_failure_of_the_command(self, bench: Bench, run: Callable[..., Said]) -> None:
        bench.ensembles.down.add("berlin_zookeeper")
        said = run("status")
        assert (said.status, said.err) == (0, "")
        assert (
            "    role: unknown: no quorum: 0 of 1 members serve, no leader (berlin_zookeeper:2181 is down)" in said.out
        )

    def test_without_connections_the_catalog_is_shown_and_the_rest_says_what_is_missing(
        self, bench: Bench, run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("INCORTA_DR_CONNECTIONS")
        sealed_point(bench.catalog)
        said = run("status")
        assert said.status == 0
        unknown = "connection 'newyork_zookeeper' is needed and no file of connections is named [command line]"
        assert f"    role: unknown: {unknown}" in said.out
        assert any(line.startswith("    recovery points: 1;") for line in said.out)


class TestLedger:
    @pytest.fixture
    def written(self, bench: Bench) -> Path:
        """Return a ledger of three lines."""
        ledger = bench.access.site("newyork").ledger
        for event in ("one", "two", "three"):
            ledger.append(event, at=bench.clock.now, key=event, group="acme", run_id="r", actor="dana", details={})
        return ledger.path

    def test_a_whole_one_ends_with_0(self, bench: Bench, written: Path, run: Callable[..., Said]) -> None:
        berlin = bench.root / "berlin" / "catalog" / "ledger.jsonl"
        assert run("ledger", "verify") == Said(
            0, [f"{berlin}: 0 entries, 0 fault(s)", f"{written}: 3 entries, 0 fault(s)"], ""
        )

    @pytest.mark.parametrize(
        ("damage", "faults"),
        [
            (
                lambda lines: [lines[0], lines[1].replace('"dana"', '"mallory"'), lines[2]],
                ["line 2: changed after it was written"],
            ),
            (
                lambda lines: [lines[0], lines[2]],
                ["line 2: does not follow the line before it", "line 2: has number 3, expected 2"],
            ),
            (
                lambda lines: [lines[0], lines[2], lines[1]],
                [
                    "line 2: does not follow the line before it",
                    "line 2: has number 3, expected 2",
                    "line 3: does not follow the line before it",
                    "line 3: has number 2, expected 4",
                ],
            ),
            (lambda lines: [lines[0], "garbage\n", lines[2]], None),
            (lambda lines: [lines[0], lines[1].replace("{", "{ ", 1), lines[2]], None),
        ],
    )
    def test_a_damaged_one_ends_with_1_and_names_the_line(
        self,
        bench: Bench,
        written: Path,
        run: Callable[..., Said],
        damage: Callable[[list[str]], list[str]],
        faults: list[str] | None,
    ) -> None:
        written.write_text("".join(damage(written.read_text().splitlines(keepends=True))))
        said = run("ledger", "verify")
        assert (said.status, said.err) == (1, "")
        told = [line.strip() for line in said.out[2:]]
        assert said.out[1].endswith(f"{len(told)} fault(s)")
        assert told == faults if faults is not None else any(line.startswith("line 2: ") for line in told)

    def test_a_line_that_a_crash_cut_short_was_never_written(
        self, bench: Bench, written: Path, run: Callable[..., Said]
    ) -> None:
        with written.open("a") as file:
            file.write('{"sequence": 4, "eve')
        assert run("ledger", "verify").out[1] == f"{written}: 3 entries, 0 fault(s)"

    def test_the_ledger_of_every_site_is_looked_at(self, bench: Bench, written: Path, run: Callable[..., Said]) -> None:
        ledger = bench.access.site("berlin").ledger
        ledger.append("one", at=bench.clock.now, key="1", group="acme", run_id="r", actor="dana", details={})
        ledger.path.write_text(ledger.path.read_text().replace('"one"', '"two"', 1))
        said = run("ledger", "verify")
        assert said.status == 1
        assert said.out == [
            f"{ledger.path}: 1 entries, 1 fault(s)",
            "  line 1: changed after it was written",
            f"{written}: 3 entries, 0 fault(s)",
        ]

    def test_one_that_cannot_be_read_is_told_and_is_not_whole(self, bench: Bench, run: Callable[..., Said]) -> None:
        """A folder in its place stands for whatever the file system says no to."""
        path = bench.root / "newyork" / "catalog" / "ledger.jsonl"
        path.mkdir()
        said = run("ledger", "verify")
        assert said.status == 1
        assert said.out[0].endswith("berlin/catalog/ledger.jsonl: 0 entries, 0 fault(s)")
        assert said.out[1].startswith("newyork: ")
        assert str(path) in said.out[1]

    def test_a_site_whose_catalog_is_gone_does_not_hide_the_others(
        self, bench: Bench, written: Path, run: Callable[..., Said]
    ) -> None:
        shutil.rmtree(bench.root / "berlin" / "catalog")
        said = run("ledger", "verify")
        assert said.status == 1
        assert said.out[0].startswith("berlin: the catalog is not there")
        assert said.out[1] == f"{written}: 3 entries, 0 fault(s)"


class TestEpoch:
    def test_the_first_initialisation_shows_every_site(self, bench: Bench, run: Callable[..., Said]) -> None:
        for site in SITES:
            bench.ensembles.session(site).nodes.clear()
        assert run("epoch", "init", "--group", "acme", "--active", "berlin") == Said(
            0, ["berlin: epoch 1, active berlin, steady", "newyork: epoch 1, active berlin, steady"], ""
        )
        assert bench.ensembles.role("newyork").changed_by == "dana"

    @pytest.mark.parametrize(
        ("variables", "who"),
        [({"SUDO_USER": "omar", "USER": "root"}, "omar"), ({"USER": "dana"}, "dana"), ({}, "uid ")],
    )
    def test_who_did_it_is_the_person_and_not_root(
        self,
        bench: Bench,
        run: Callable[..., Said],
        monkeypatch: pytest.MonkeyPatch,
        variables: dict[str, str],
        who: str,
    ) -> None:
        bench.ensembles.session("berlin").nodes.clear()
        bench.ensembles.session("newyork").nodes.clear()
        for name in ("SUDO_USER", "USER"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        run("epoch", "init", "--group", "acme", "--active", "berlin")
        assert bench.ensembles.role("berlin").changed_by.startswith(who)

    def test_a_second_time_changes_nothing(self, bench: Bench, run: Callable[..., Said]) -> None:
        before = bench.ensembles.role("berlin")
        assert run("epoch", "init", "--group", "acme", "--active", "berlin").status == 0
        assert bench.ensembles.role("berlin") == before

    def test_roles_are_changed_by_a_cutover_only(self, bench: Bench, run: Callable[..., Said]) -> None:
        promoting(bench)
        said = run("epoch", "init", "--group", "acme", "--active", "berlin")
        assert (said.status, said.out) == (1, [])
        assert said.err == (
            "incorta-dr: the epoch registry says that newyork is active (epoch 2) [ZooKeeper of site newyork]. "
            "Next: Nothing was changed. Only a cutover changes roles.\n"
        )

    def test_a_site_that_is_down_is_told(self, bench: Bench, run: Callable[..., Said]) -> None:
        bench.ensembles.down.add("newyork_zookeeper")
        said = run("epoch", "init", "--group", "acme", "--active", "berlin")
        assert (said.status, said.out) == (1, [])
        assert said.err.startswith("incorta-dr: cannot connect to ZooKeeper: no quorum [newyork_zookeeper]")


class TestLock:
    RELEASE = ("lock", "release", "--group", "acme", "--site", "newyork", "--run", "scheduled__1")

    def test_a_dead_run_s_lock_is_released_and_that_stands_in_the_ledger(
        self, bench: Bench, run: Callable[..., Said]
    ) -> None:
        bench.ensembles.lock("newyork").acquire(owner("scheduled__1"))
        assert run(*self.RELEASE) == Said(0, ["the lock of run scheduled__1 at newyork is released"], "")
        assert bench.ensembles.lock("newyork").holder() is None
        (line,) = bench.access.site("newyork").ledger.entries()
        assert (line.event, line.run_id, line.actor) == ("lock.released", "scheduled__1", "dana")

    @pytest.mark.parametrize("holder", [None, "scheduled__2"])
    def test_no_other_lock_is_touched(self, bench: Bench, run: Callable[..., Said], holder: str | None) -> None:
        if holder:
            bench.ensembles.lock("newyork").acquire(owner(holder))
        said = run(*self.RELEASE)
        assert (said.status, said.out) == (1, [])
        found = "nobody" if holder is None else "run scheduled__2 of dag replicate on worker-1 for "
        assert said.err.startswith(f"incorta-dr: run scheduled__1 does not hold the lock; it is held by {found}")
        assert bench.ensembles.lock("newyork").holder() == (owner(holder) if holder else None)
        assert bench.events() == []


def test_a_name_that_the_terminal_cannot_show_is_no_reason_to_fail(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A console of the data centre may know ASCII only."""
    ledger = bench.access.site("newyork").ledger
    ledger.append("one", at=bench.clock.now, key="1", group="acme", run_id="r", actor="Jürgen", details={})
    path = tmp_path / "console"
    with path.open("w", encoding="ascii") as console:
        monkeypatch.setattr(sys, "stdout", console)
        assert main(["status"]) == 0
    assert r"one by J\xfcrgen (r)" in path.read_text()


def test_nothing_stands_in_for_a_secret_that_was_not_asked_for(bench: Bench) -> None:
    assert not [name for name in vars(cli) if "password" in name.lower()]
