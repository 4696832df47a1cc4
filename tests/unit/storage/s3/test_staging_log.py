"""The log of what a run writes to a bucket: no key is hidden by a crash, a full disk, or another worker."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.s3 import staging_log
from incorta_provider.storage.s3.staging_log import StagingLog


@pytest.fixture
def log(tmp_path: Path) -> StagingLog:
    return StagingLog(tmp_path / "staged-in-bucket/run")


def written(path: bytes, version: bytes) -> Entry:
    return Entry(path, Kind.FILE, 1, 1, 0o644, version=version)


def test_what_was_about_to_be_written_and_what_was_written_are_told_apart(log: StagingLog) -> None:
    log.intend([b"a", b"new\nline", b"\xff"])
    log.did([written(b"a", b"v1")])
    assert log.paths() == {b"a", b"new\nline", b"\xff"}
    assert log.versions() == [(b"a", b"v1")]


def test_workers_with_one_process_id_and_one_catalog_write_to_files_of_their_own(
    log: StagingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two containers count their processes from 1, and a shared folder does not order what both append."""
    monkeypatch.setattr(os, "getpid", lambda: 17)
    other = pickle.loads(pickle.dumps(log))
    log.intend([b"a"])
    other.intend([b"b"])
    log.intend([b"c"])
    assert len(list(log.folder.iterdir())) == 2
    assert log.paths() == {b"a", b"b", b"c"}


def test_a_line_that_a_crash_cut_off_hides_no_other(log: StagingLog) -> None:
    log.intend([b"a"])
    (file,) = log.folder.iterdir()
    file.write_bytes(file.read_bytes() + b'["half of a li')
    StagingLog(log.folder).intend([b"b"])
    assert log.paths() == {b"a", b"b"}


def test_a_line_that_a_full_disk_cut_off_hides_no_other(log: StagingLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.intend([b"a"])
    (file,) = log.folder.iterdir()

    def full(_: int) -> None:
        os.truncate(file, file.stat().st_size - 3)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(staging_log.os, "fsync", full)
        with pytest.raises(PreconditionError, match="no room left") as caught:
            log.intend([b"cut"])
    assert caught.value.where == str(log.folder)
    log.intend([b"b"])
    assert log.paths() == {b"a", b"b"}


def test_the_name_of_the_file_is_on_disk_before_an_object_is_written(
    log: StagingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(staging_log, "sync_folder", synced.append)
    log.intend([b"a"])
    log.intend([b"b"])
    assert synced == [log.folder, log.folder.parent, log.folder.parent.parent]


def test_a_log_that_an_apply_has_looked_at_is_begun_again(log: StagingLog) -> None:
    log.intend([b"a"])
    log.remove()
    assert log.paths() == set()
    log.intend([b"b"])
    assert log.paths() == {b"b"}
