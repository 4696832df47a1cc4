"""What was staged is read again before a point rests on it."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying import checks, transfer
from incorta_provider.storage.copying.checks import StagedReport, drop_from_manifest, ensure_staged, verify_staged
from incorta_provider.storage.copying.staging import Staging
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.digests import Reader
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.manifest.manifest_file import read_manifest
from tests.builders.storage import Pair, make_pair, put


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "pair")


@pytest.fixture
def workspace(pair: Pair) -> Workspace:
    put(pair.source, {"a": b"1", "t/b": b"22"})
    return pair.catalog.workspace("run")


def names(workspace: Workspace) -> list[bytes]:
    return [entry.path for entry in read_manifest(workspace.manifest)]


def test_whole_copies_pass(pair: Pair, workspace: Workspace) -> None:
    pair.copy(workspace, final=True)
    assert verify_staged(pair.target, workspace) == StagedReport(files=2, size=3, damaged=(), framing_faults=())


def test_each_kind_of_damage_is_named(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {"flipped": b"abc", "gone": b"abc", "link": b"abc", "longer": b"abc", "shorter": b"abc"})
    pair.copy(workspace, final=True)
    facts = (workspace.files / "flipped").stat()
    (workspace.files / "flipped").write_bytes(b"abd")
    os.utime(workspace.files / "flipped", ns=(1, facts.st_mtime_ns))
    (workspace.files / "gone").unlink()
    (workspace.files / "link").unlink()
    (workspace.files / "link").symlink_to(workspace.files / "longer")
    (workspace.files / "longer").write_bytes(b"abcd")
    (workspace.files / "shorter").write_bytes(b"ab")
    assert verify_staged(pair.target, workspace).damaged == (b"flipped", b"gone", b"link", b"longer", b"shorter")


def test_what_was_proven_and_nobody_touched_is_not_read_again(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.copy(workspace, final=True)
    facts = (workspace.files / "a").stat()
    (workspace.files / "a").write_bytes(b"2")
    os.utime(workspace.files / "a", ns=(1, facts.st_mtime_ns))
    asked = []
    read = Reader.__call__
    monkeypatch.setattr(Reader, "__call__", lambda reader, batch: asked.extend(batch) or read(reader, batch))
    report = verify_staged(pair.target, workspace)
    assert (report.files, report.size, report.damaged) == (2, 3, (b"a",))
    assert [entry.path for entry in asked] == [b"a"]


def test_a_copy_without_a_proof_is_read(pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a source that is not a folder here."""
    monkeypatch.setattr(LocalTarget, "copier", lambda _, source, workspace: Staging(source.fetch, workspace))
    pair.copy(workspace, final=True)
    (workspace.files / "a").write_bytes(b"2")
    assert verify_staged(pair.target, workspace).damaged == (b"a",)


def test_only_what_this_run_staged_is_read(pair: Pair, workspace: Workspace) -> None:
    pair.copy(workspace, final=True)
    pair.seal("P1")
    put(pair.source, {"new": b"333"})
    following = pair.catalog.workspace("next")
    pair.copy(following, final=True)
    assert verify_staged(pair.target, following).files == 1


def test_a_staged_version_that_the_manifest_does_not_name_does_not_matter(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass was cut off, and then the file went back to what the point before has: same content, size and time."""
    put(pair.source, {"a": b"old"})
    pair.seal("P1")
    was = (pair.source / "a").stat().st_mtime_ns
    workspace = pair.catalog.workspace("next")
    put(pair.source, {"a": b"newer"})
    with monkeypatch.context() as cut:
        cut.setattr(transfer, "complete", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pair.copy(workspace)
    put(pair.source, {"a": b"old"})
    os.utime(pair.source / "a", ns=(1, was))
    pair.copy(workspace, final=True)
    (workspace.files / "a").write_bytes(b"damaged")
    assert verify_staged(pair.target, workspace) == StagedReport(files=0, size=0, damaged=(), framing_faults=())


def test_what_was_touched_behind_the_check_is_refused(pair: Pair, workspace: Workspace) -> None:
    pair.copy(workspace, final=True)
    ensure_staged(pair.target, workspace)
    (workspace.files / "a").write_bytes(b"longer")
    with pytest.raises(IntegrityError, match=r"1 staged file.* the first is a"):
        ensure_staged(pair.target, workspace)


@pytest.mark.parametrize("staged", [True, False])
def test_of_a_file_with_the_content_of_before_the_index_tells_whether_it_was_staged(pair: Pair, staged: bool) -> None:
    """Another time has a file copied once more; another mode does not."""
    put(pair.source, {"a": b"old", "z": b"old"})
    pair.seal("P1")
    if staged:
        os.utime(pair.source / "a", ns=(1, 1))
    else:
        (pair.source / "a").chmod(0o600)
    put(pair.source, {"b": b"new", "z": b"newer"})
    workspace = pair.catalog.workspace("next")
    pair.copy(workspace, final=True)
    assert (workspace.files / "a").exists() == staged
    ensure_staged(pair.target, workspace)
    (workspace.files / "a").unlink(missing_ok=True)
    (workspace.files / "z").unlink()
    with pytest.raises(IntegrityError, match=f"{1 + staged} staged file.* the first is {'a' if staged else 'z'}"):
        ensure_staged(pair.target, workspace)


def test_parquet_that_is_not_whole_is_told_and_can_be_dropped(pair: Pair, workspace: Workspace) -> None:
    pq.write_table(pa.table({"a": [1]}), pair.source / "whole.parquet")
    content = (pair.source / "whole.parquet").read_bytes()
    put(pair.source, {"half.parquet": content[:-1], "half.txt": content[:-1]})
    pair.copy(workspace, final=True)
    report = verify_staged(pair.target, workspace)
    assert report.damaged == ()
    assert report.framing_faults == (b"half.parquet",)
    drop_from_manifest(workspace, report.framing_faults)
    assert names(workspace) == [b"a", b"half.txt", b"t", b"t/b", b"whole.parquet"]


def test_a_check_that_is_run_again_still_knows_what_was_dropped(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {"half\n.parquet": b"PAR1"})
    pair.copy(workspace, final=True)
    drop_from_manifest(workspace, verify_staged(pair.target, workspace).framing_faults)
    again = verify_staged(pair.target, workspace)
    assert again.framing_faults == (b"half\n.parquet",)
    drop_from_manifest(workspace, again.framing_faults)
    assert names(workspace) == [b"a", b"t", b"t/b"]


def test_a_check_that_dies_before_the_manifest_is_written_still_knows(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"half.parquet": b"PAR1"})
    pair.copy(workspace, final=True)
    with monkeypatch.context() as dying:
        dying.setattr(checks, "edit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            drop_from_manifest(workspace, [b"half.parquet"])
    report = verify_staged(pair.target, workspace)
    assert report.framing_faults == (b"half.parquet",)


def test_a_file_that_was_left_out_and_is_whole_by_the_next_final_copy_is_in_again(
    pair: Pair, workspace: Workspace
) -> None:
    put(pair.source, {"x.parquet": b"PAR1"})
    pair.copy(workspace, final=True)
    drop_from_manifest(workspace, verify_staged(pair.target, workspace).framing_faults)
    pq.write_table(pa.table({"a": [1]}), pair.source / "x.parquet")
    pair.copy(workspace, final=True)
    report = verify_staged(pair.target, workspace)
    assert (report.damaged, report.framing_faults) == ((), ())
    assert b"x.parquet" in names(workspace)


def test_a_torn_file_that_does_not_change_stays_out_of_each_point(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {"half.parquet": b"PAR1"})
    pair.copy(workspace, final=True)
    drop_from_manifest(workspace, verify_staged(pair.target, workspace).framing_faults)
    pair.copy(workspace, final=True)
    assert verify_staged(pair.target, workspace).framing_faults == (b"half.parquet",)


def test_without_a_manifest_there_is_nothing_to_check(pair: Pair, workspace: Workspace) -> None:
    with pytest.raises(IntegrityError, match="the manifest cannot be read"):
        verify_staged(pair.target, workspace)
