"""``incorta-dr metadata``, in this process; what a database would say is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.cli import main
from incorta_provider.dr.inventory import Difference
from incorta_provider.dr.rewriting import CellChange, Rewriting
from incorta_provider.metadata.rewrite import Put, Replace
from incorta_provider.metadata.scan import Finding
from incorta_provider.steps import metadata_diff, metadata_rewrite, metadata_scan
from incorta_provider.storage.records.rewritings import Rewritings
from tests.builders.group import PASSWORD, Bench, make_bench, sealed_point, topology_document, use_at_command_line

PLACE = ("--group", "acme", "--site", "newyork")
Run = Callable[..., tuple[int, list[str], str]]
PATH = CellChange(
    table="TENANT", column="PATH", key={"NAME": "a"}, keyed=True, binary=False, before="/berlin/a", after="/newyork/a"
)
DONE = Rewriting(changes=(PATH,))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = make_bench(tmp_path, monkeypatch)
    document = topology_document(tmp_path)
    document["groups"]["acme"]["metadata"]["drill"] = [
        {"table": "TENANT", "column": "ENABLED", "to": "0"},
        {"table": "JOB", "column": "STATUS", "to": "OFF", "only": "ON"},
    ]
    use_at_command_line(bench, document, monkeypatch)
    bench.ensembles.initialise()
    return bench


@pytest.fixture
def run(bench: Bench, capsys: pytest.CaptureFixture[str]) -> Run:
    def say(*argv: str) -> tuple[int, list[str], str]:
        status = main(["metadata", argv[0], *PLACE, *argv[1:]])
        out, err = capsys.readouterr()
        assert PASSWORD not in out + err
        return status, out.splitlines(), err

    return say


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the database was asked for."""
    seen: dict[str, Any] = {}

    def preview(endpoint: Any, rules: Any) -> Rewriting:
        seen.update(site=endpoint.site, rules=rules)
        return DONE

    def rewrite(endpoint: Any, rules: Any, *, keep: Any, seen: str) -> Rewriting:
        assert seen == DONE.sha256
        keep(DONE)
        return DONE

    monkeypatch.setattr(metadata_rewrite.metadata_rewrite, "preview", preview)
    monkeypatch.setattr(metadata_rewrite.metadata_rewrite, "rewrite", rewrite)
    monkeypatch.setattr(metadata_rewrite, "undo", lambda endpoint, done: len(done.changes))
    return seen


def test_a_dry_run_shows_each_value_and_the_digest(run: Run, asked: dict[str, Any]) -> None:
    assert run("rewrite", "--dry-run") == (
        0,
        [
            "`TENANT`.`PATH` where `NAME` = 'a':",
            "  - '/berlin/a'",
            "  + '/newyork/a'",
            f"1 value(s) would be rewritten; nothing was changed; --execute {DONE.sha256} does this",
        ],
        "",
    )
    assert asked["site"] == "newyork"
    assert asked["rules"] == [Replace("TENANT", "PATH", "/mnt/berlin/Tenants", "/mnt/newyork/Tenants")]


def test_a_rewrite_is_kept_told_to_the_ledger_and_undone(bench: Bench, run: Run, asked: dict[str, Any]) -> None:
    status, lines, _ = run("rewrite", "--execute", DONE.sha256)
    assert (status, lines) == (0, [f"1 value(s) rewritten; `metadata undo --digest {DONE.sha256}` restores them"])
    assert Rewritings(bench.catalog).get(DONE.sha256) == DONE
    assert run("undo", "--digest", DONE.sha256)[:2] == (0, ["1 value(s) restored"])
    entries = [(entry.event, entry.actor, entry.details) for entry in bench.access.site("newyork").ledger.entries()]
    assert entries == [
        ("metadata.rewritten", "dana", {"sha256": DONE.sha256, "values": 1}),
        ("metadata.rewrite_undone", "dana", {"sha256": DONE.sha256, "values": 1}),
    ]


@pytest.mark.parametrize("digest", ["0" * 64, "../live"])
def test_a_rewrite_that_is_not_known_is_not_undone(digest: str, run: Run, asked: dict[str, Any]) -> None:
    status, lines, error = run("undo", "--digest", digest)
    assert (status, lines) == (1, [])
    assert f"no rewrite {digest} is known" in error


def test_a_drill_s_rules_write_values(run: Run, asked: dict[str, Any]) -> None:
    assert run("rewrite", "--dry-run", "--drill")[0] == 0
    assert asked["rules"] == [Put("TENANT", "ENABLED", "0"), Put("JOB", "STATUS", "OFF", only="ON")]


def test_nothing_is_switched_off_at_the_active_site(bench: Bench, run: Run, asked: dict[str, Any]) -> None:
    bench.ensembles.initialise("newyork")
    status, lines, error = run("rewrite", "--dry-run", "--drill")
    assert (status, lines, asked) == (1, [], {})
    assert "newyork is the active site: its tenants and jobs are not switched off" in error


def test_a_site_is_not_rewritten_from_itself(run: Run, asked: dict[str, Any]) -> None:
    status, _, error = run("rewrite", "--dry-run", "--from", "newyork")
    assert (status, asked) == (1, {})
    assert "Name the other site with --from." in error


@pytest.mark.parametrize("findings", [[], [Finding("`T`.`C`", "smtp_host", 2)]])
def test_a_scan_tells_where_and_how_much_it_looked(
    findings: list[Finding], bench: Bench, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_scan, "scan", lambda endpoint, needles, **options: list(findings))
    for name, content in (("ddm/t.ddm", b"mail.berlin.example"), ("ddm/u.ddm", b""), ("x", b"mail.berlin.example")):
        path = bench.storage("newyork") / "acme" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    status, lines, _ = run("scan")
    assert status == 1
    assert lines == [
        *map(str, findings),
        "file acme/ddm/t.ddm holds the other site's smtp_host",
        "searched all text columns, all definitions and 2 file(s) of newyork for smtp_host, tenants_path of berlin: "
        f"{len(findings) + 1} place(s)",
    ]
    (bench.storage("newyork") / "acme" / "ddm" / "t.ddm").unlink()
    assert run("scan")[0] == len(findings)


def test_differences_from_another_site_are_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Difference("table `t`", "row `id` = '1'", "it", "nothing")]
    sites: list[tuple[str, str]] = []

    def compare(expected: Any, actual: Any) -> list[Difference]:
        sites.append((expected.site, actual.site))
        return found

    monkeypatch.setattr(metadata_diff, "compare_schemas", compare)
    assert run("diff", "--with", "berlin")[:2] == (
        1,
        ["table `t`: row `id` = '1': expected it, found nothing", "newyork differs from berlin in 1 place(s)"],
    )
    found.clear()
    assert run("diff", "--with", "berlin")[:2] == (0, ["newyork equals berlin"])
    assert sites == [("berlin", "newyork")] * 2


def test_differences_from_a_point_are_found_in_a_schema_beside(
    bench: Bench, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = sealed_point(bench.catalog)
    compared: list[tuple[str, str]] = []

    @contextmanager
    def restored_apart(endpoint: Any, dump: Path, inventory: Any, *, scratch_key: str) -> Iterator[Any]:
        assert dump.read_bytes().startswith(b"a dump of")
        assert inventory.rows == 3
        yield replace(endpoint, schema=scratch_key)

    def compare(expected: Any, actual: Any) -> list[Difference]:
        compared.append((expected.schema, actual.schema))
        return []

    monkeypatch.setattr(metadata_diff, "carried", lambda endpoint, inventory, mapping: inventory)
    monkeypatch.setattr(metadata_diff, "restored_apart", restored_apart)
    monkeypatch.setattr(metadata_diff, "compare_schemas", compare)
    assert run("diff")[:2] == (0, [f"newyork equals {point.id}"])
    assert compared == [(f"diff_{point.id}", "incorta")]
    bench.catalog.dump_path(point.id).write_bytes(b"another")
    status, _, error = run("diff", "--point", point.id)
    assert (status, len(compared)) == (1, 1)
    assert "is not the file that was sealed" in error


def test_what_a_point_s_metadata_name_is_held_against_its_files(bench: Bench, run: Run) -> None:
    point = sealed_point(bench.catalog)
    references = bench.catalog.point_dir(point.id) / "references.jsonl"
    references.write_text('{"path": "acme/source/a", "size": 1, "sha256": null}\n')
    assert run("references", "--point", point.id)[:2] == (
        1,
        [
            "acme/source/a: named by the metadata, not in the manifest",
            f"{point.id}: the metadata name 0 file(s); 1 missing or different, 0 orphan(s)",
        ],
    )
    references.unlink()
    status, lines, error = run("references")
    assert (status, lines) == (1, [])
    assert "does not say which files its metadata name" in error
