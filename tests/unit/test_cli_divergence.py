"""``incorta-dr divergence list`` and ``show``, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.cli import main
from incorta_provider.storage.divergence import Bundle, Bundles, KeptMetadata
from incorta_provider.storage.manifest.manifest_file import ManifestWriter
from tests.builders.group import NOON, Bench, make_bench, topology_document, use_at_command_line
from tests.builders.storage import file

PLACE = ("--group", "acme", "--site", "berlin")
POINT = "20261125T120000Z-55d41569"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = make_bench(tmp_path, monkeypatch)
    use_at_command_line(bench, topology_document(tmp_path), monkeypatch)
    return bench


def keep(bench: Bench, bundle_id: str, **changed: object) -> Path:
    bundles = Bundles(bench.access.site("berlin").catalog)
    folder = bundles.make(bundle_id)
    for name, entries in (("files", [file(b"a/new\n.bin")]), ("deleted", [file(b"b/old.bin")])):
        with ManifestWriter(folder / f"{name}.parquet") as writer:
            writer.extend(entries)
    fields = {
        "id": bundle_id,
        "group": "acme",
        "site": "berlin",
        "active": "newyork",
        "epoch": 2,
        "point": POINT,
        "point_of": "newyork",
        "run_id": "scheduled__2",
        "kept_at": NOON,
        "added": 1,
        "changed": 0,
        "deleted": 1,
        "bytes": 1,
    }
    bundles.save(Bundle.model_validate({**fields, **changed}))
    return folder


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, list[str], str]:
    status = main(["divergence", *argv])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err


def test_a_site_without_any_bundle_says_so(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "list", *PLACE) == (0, ["berlin keeps no divergence bundle"], "")


def test_bundles_are_listed_with_what_is_in_them(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    kept = KeptMetadata(tables=9, rows=300, sha256="0" * 64, differing={"table `TENANT`": 2})
    keep(bench, "epoch-2", metadata=kept)
    keep(bench, "epoch-4", kept_at=NOON.replace(hour=13), added=0, deleted=0, files_stay=True)
    Bundles(bench.access.site("berlin").catalog).make("epoch-6")
    head = f"what berlin wrote after {POINT} apart from newyork, kept 2026-11-25"
    assert said(capsys, "list", *PLACE) == (
        0,
        [
            f"epoch-2: {head} 12:00:00 UTC: 1 file(s) of its own, 0 in another version (1 bytes), 1 deleted; "
            "metadata of 9 table(s), different in table `TENANT` (2)",
            f"epoch-4: {head} 13:00:00 UTC: its files are in the versions of the bucket; no metadata",
            "epoch-6: not complete; the next replication run to berlin goes on with it",
        ],
        "",
    )


def test_the_status_names_each_bundle(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    keep(bench, "epoch-2")
    assert main(["status"]) == 0
    assert f"    divergence epoch-2: what berlin wrote after {POINT} apart from newyork" in capsys.readouterr().out


def test_one_bundle_is_shown_by_file_and_by_row(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    folder = keep(bench, "epoch-2", metadata=KeptMetadata(tables=9, rows=300, sha256="0" * 64, differing={}))
    (folder / "differences.txt").write_text("table `TENANT`: row ID=1: expected a, found b\n")
    status, lines, _ = said(capsys, "show", *PLACE, "--bundle", "epoch-2")
    assert status == 0
    assert lines[0].endswith("metadata of 9 table(s), as at the point")
    assert lines[1:] == [
        f"folder: {folder}",
        r"kept a/new\n.bin (1 bytes)",
        "deleted b/old.bin (1 bytes)",
        "metadata against the recovery point:",
        "  table `TENANT`: row ID=1: expected a, found b",
    ]


@pytest.mark.parametrize("name", ["epoch-3", "../points", ""])
def test_a_bundle_that_is_not_there_is_told_and_no_name_leads_out(
    bench: Bench, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    status, lines, error = said(capsys, "show", *PLACE, "--bundle", name)
    assert (status, lines) == (1, [])
    assert f"there is no divergence bundle {name!r}" in error


def test_metadata_that_could_not_be_compared_are_said_to_be_so(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = KeptMetadata(tables=9, rows=300, sha256="0" * 64, differing={}, not_compared="the dump is damaged")
    keep(bench, "epoch-2", metadata=kept)
    assert said(capsys, "list", *PLACE)[1][0].endswith("metadata of 9 table(s), not compared")
