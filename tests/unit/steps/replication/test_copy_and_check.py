"""Copy and check with real files; the dump's own files are written by hand."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incorta_provider.dr.metadata_rules import MetadataRules
from incorta_provider.dr.topology import Replication
from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.steps.metadata_references import read_references
from incorta_provider.steps.replication import copy as copy_module
from incorta_provider.steps.replication.check import check
from incorta_provider.steps.replication.copy import MAX_PASSES, final_copy, pre_copy
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.copying.transfer import CopyReport
from incorta_provider.storage.manifest.manifest_file import read_manifest
from tests.builders.group import Bench, digest, replication_run, report_of, write_dump

NOT_UTF_8 = os.fsdecode(b"source/caf\xe9.parquet")
"""A name as Python shows it whose bytes are not UTF-8."""


def parquet(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pq.write_table(pa.table({"n": [1, 2, 3]}), file)
    return path


@pytest.fixture
def source(bench: Bench) -> Path:
    root = bench.storage("berlin")
    parquet(root / "source" / "a.parquet")
    parquet(root / "source" / "b.parquet")
    (root / "notes.txt").write_text("not named by the metadata")
    return root


def opened(bench: Bench, **group_fields: Any) -> ReplicationRun:
    run = replication_run(bench, **group_fields)
    open_run(run)
    return run


def copied(run: ReplicationRun, *references: dict[str, Any]) -> CopyReport:
    pre_copy(run)
    write_dump(run, *references)
    return final_copy(run)


def paths(run: ReplicationRun) -> list[bytes]:
    return [entry.path for entry in read_manifest(run.workspace.manifest) if entry.sha256 is not None]


def test_what_the_metadata_name_is_counted(bench: Bench, source: Path) -> None:
    run = opened(bench)
    one, two = source / "source" / "a.parquet", source / "source" / "b.parquet"
    copied(
        run,
        {"path": "source/a.parquet", "size": one.stat().st_size, "sha256": digest(one)},
        {"path": "source/b.parquet", "size": two.stat().st_size},
    )
    report = check(run)
    size = sum(path.stat().st_size for path in (one, two, source / "notes.txt"))
    assert (report.staged_files, report.staged_bytes, report.references, report.exceptions) == (3, size, 2, ())
    assert run.checked() == report
    assert paths(run) == [b"notes.txt", b"source/a.parquet", b"source/b.parquet"]


def test_references_come_back_as_bytes_whatever_they_hold(bench: Bench) -> None:
    run = opened(bench)
    write_dump(run, {"path": NOT_UTF_8, "size": 4}, {"path": "表\n.parquet", "sha256": "ab" * 32})
    found = list(read_references(run.workspace.references))
    assert [(one.path, one.size, one.sha256) for one in found] == [
        (b"source/caf\xe9.parquet", 4, None),
        ("表\n.parquet".encode(), None, "ab" * 32),
    ]


def test_a_named_file_whose_name_is_no_utf_8_is_found(bench: Bench, source: Path) -> None:
    parquet(source / NOT_UTF_8)
    run = opened(bench)
    copied(run, {"path": NOT_UTF_8})
    assert check(run).references == 1


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ({"path": "source/c.parquet"}, "source/c.parquet: named by the metadata, not in the manifest"),
        ({"path": "source"}, "source: named by the metadata as a file, is a dir"),
        ({"path": "source/a.parquet", "size": 1}, "source/a.parquet: the metadata says 1 bytes, the file has"),
        ({"path": "source/a.parquet", "sha256": "00" * 32}, "its digest is not the one in the metadata"),
    ],
)
def test_what_is_not_as_the_metadata_say_makes_the_run_void(
    bench: Bench, source: Path, reference: dict[str, Any], fault: str
) -> None:
    run = opened(bench)
    copied(run, reference)
    with pytest.raises(IntegrityError, match=fault) as caught:
        check(run)
    assert caught.value.what.startswith("1 file(s) that the metadata name are not in the copy as they should be:\n")
    assert bench.events() == ["point.void"]
    with pytest.raises(PreconditionError, match="the check has not been passed"):
        run.checked()


def test_a_file_that_is_still_written_is_left_out_when_nothing_names_it(bench: Bench, source: Path) -> None:
    (source / "source" / "late.parquet").write_bytes(b"PAR1 not to its end")
    run = opened(bench)
    copied(run, {"path": "source/a.parquet"})
    for _ in range(2):
        report = check(run)
        assert report.exceptions == ("source/late.parquet: was still being written, left out",)
        assert paths(run) == [b"notes.txt", b"source/a.parquet", b"source/b.parquet"]


def test_what_the_metadata_ought_to_name_and_do_not_is_told_and_kept(
    bench: Bench, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = MetadataRules(references=("SELECT PATH AS path FROM TABLE_FILE",), accounted=("source/*",))
    run = opened(bench, metadata=rules)
    copied(run, {"path": "source/a.parquet"})
    report = check(run)
    assert (report.references, report.orphans, report.exceptions) == (1, 1, ())
    assert paths(run) == [b"notes.txt", b"source/a.parquet", b"source/b.parquet"]
    assert "1 file(s) that the metadata do not name:\n  source/b.parquet: " in caplog.text


def test_a_file_that_is_still_written_and_is_named_makes_the_run_void(bench: Bench, source: Path) -> None:
    (source / "source" / "late.parquet").write_bytes(b"PAR1 not to its end")
    run = opened(bench)
    copied(run, {"path": "source/late.parquet"})
    with pytest.raises(IntegrityError, match=r"source/late.parquet: named by the metadata, not in the manifest"):
        check(run)


def test_without_references_whole_files_pass_and_the_report_says_that_nobody_looked(bench: Bench, source: Path) -> None:
    run = opened(bench, metadata=MetadataRules())
    copied(run)
    assert check(run).references is None


def test_without_references_a_file_that_is_not_whole_makes_the_run_void(bench: Bench, source: Path) -> None:
    (source / "source" / "late.parquet").write_bytes(b"PAR1 not to its end")
    run = opened(bench, metadata=MetadataRules())
    copied(run)
    with pytest.raises(IntegrityError, match=r"1 file\(s\) are not whole, and no metadata.references say whether"):
        check(run)


def test_staged_bytes_that_rot_make_the_run_void(bench: Bench, source: Path) -> None:
    run = opened(bench)
    copied(run, {"path": "source/a.parquet"})
    staged = run.workspace.files / "source" / "a.parquet"
    content = bytearray(staged.read_bytes())
    content[10] ^= 1
    staged.chmod(0o600)
    staged.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"1 staged file\(s\) do not hold what was copied:\n  source/a.parquet"):
        check(run)


def test_a_check_that_was_passed_once_holds_no_more_when_the_next_fails(bench: Bench, source: Path) -> None:
    run = opened(bench)
    copied(run, {"path": "source/a.parquet"})
    check(run)
    write_dump(run, {"path": "source/gone.parquet"})
    with pytest.raises(IntegrityError):
        check(run)
    with pytest.raises(PreconditionError, match="the check has not been passed"):
        run.checked()


def test_only_the_first_faults_are_listed_and_all_are_counted(bench: Bench, source: Path) -> None:
    run = opened(bench)
    copied(run, *({"path": f"source/gone{number:03}"} for number in range(45)))
    with pytest.raises(IntegrityError) as caught:
        check(run)
    assert caught.value.what.startswith("45 file(s)")
    assert caught.value.what.count("\n") == 20


def test_a_hostile_name_stays_on_its_line(bench: Bench, source: Path) -> None:
    run = opened(bench)
    copied(run, {"path": "source/a\nall is well\x1b[2J"})
    with pytest.raises(IntegrityError) as caught:
        check(run)
    assert r"source/a\nall is well\x1b[2J: named by" in caught.value.what


def test_excluded_files_stay_where_they_are(bench: Bench, source: Path) -> None:
    (source / "source" / ".tmp").mkdir()
    (source / "source" / ".tmp" / "scratch").write_text("none of its business")
    run = opened(bench, replication=Replication(exclude=("*/.tmp/*",)))
    copied(run)
    assert b"source/.tmp/scratch" not in paths(run)


def test_what_vanished_before_any_copy_stands_among_the_exceptions(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = opened(bench)
    report = copied(run, {"path": "source/a.parquet"})
    gone = replace(report, vanished=(b"source/gone\n.parquet",))
    monkeypatch.setattr(copy_module, "copy_delta", lambda *_, **__: gone)
    final_copy(run)
    assert check(run).exceptions == (r"source/gone\n.parquet: vanished before it was copied",)


@pytest.mark.parametrize(
    ("found", "passes"),
    [([0], 1), ([9, 0], 2), ([9, 9], 2), ([9, 12], 2), ([9, 5, 3, 0], 4), ([9, 8, 7, 6, 5], MAX_PASSES)],
)
def test_a_pre_copy_goes_on_while_each_pass_finds_less(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch, found: list[int], passes: int
) -> None:
    """The numbers are what each pass copies, in bytes."""
    run, made = opened(bench), list[int]()

    def one_pass(*_: object, final: bool, **__: object) -> CopyReport:
        assert final is False
        made.append(found[len(made)])
        return report_of(CopyReport, copied_bytes=made[-1])

    monkeypatch.setattr(copy_module, "copy_delta", one_pass)
    assert pre_copy(run).copied_bytes == made[-1]
    assert len(made) == passes


def test_a_source_that_is_not_mounted_is_refused_and_nothing_is_lost(bench: Bench, source: Path) -> None:
    run = opened(bench)
    copied(run, {"path": "source/a.parquet"})
    before = paths(run)
    source.rename(source.with_name("unmounted"))
    with pytest.raises(PreconditionError, match="does not exist"):
        final_copy(run)
    assert paths(run) == before
    assert bench.last("point.void")["step"] == "final_copy"


def test_a_final_copy_that_stands_before_the_dump_is_refused(bench: Bench, source: Path) -> None:
    """The task of the dump was marked as success: its metadata may name files that this copy would not see."""
    run = opened(bench)
    pre_copy(run)
    with pytest.raises(PreconditionError, match="the metadata have not been dumped"):
        final_copy(run)
    with pytest.raises(PreconditionError, match="the metadata have not been dumped"):
        check(run)


def test_a_final_copy_that_is_done_again_must_be_checked_and_proven_again(bench: Bench, source: Path) -> None:
    run = opened(bench)
    copied(run, {"path": "source/a.parquet"})
    check(run)
    run.save_proof(proven=True)
    final_copy(run)
    with pytest.raises(PreconditionError, match="the check has not been passed"):
        run.checked()
    with pytest.raises(PreconditionError, match="the dump has not been proven"):
        run.proven()


def test_nothing_is_copied_for_a_run_that_is_not_open(bench: Bench, source: Path) -> None:
    run = replication_run(bench)
    with pytest.raises(PreconditionError, match="run scheduled__1 is not open"):
        pre_copy(run)
    assert not list(run.workspace.files.iterdir())
