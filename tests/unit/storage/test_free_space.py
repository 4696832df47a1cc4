"""Room at the target."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying.free_space import RESERVE_BYTES, ensure_room, room


@pytest.fixture
def volume(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    facts = SimpleNamespace(f_bavail=RESERVE_BYTES // 4096 + 25, f_frsize=4096, f_files=1000, f_favail=10)
    monkeypatch.setattr(os, "statvfs", lambda path: facts)
    return facts


def test_what_fits_is_accepted(volume: SimpleNamespace, tmp_path: Path) -> None:
    ensure_room(room(tmp_path), str(tmp_path), size=25 * 4096, files=10)
    ensure_room(room(tmp_path), str(tmp_path), size=0, files=0)


def test_what_does_not_fit_is_refused_with_numbers(volume: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="102401 bytes are needed") as caught:
        ensure_room(room(tmp_path), str(tmp_path), size=25 * 4096 + 1, files=1)
    assert caught.value.where == str(tmp_path)


def test_inodes_run_out_too(volume: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="11 files and folders are to be made, and inodes are left for 10"):
        ensure_room(room(tmp_path), str(tmp_path), size=1, files=11)


def test_a_file_system_without_a_limit_on_files_has_room(volume: SimpleNamespace, tmp_path: Path) -> None:
    volume.f_files = volume.f_favail = 0
    ensure_room(room(tmp_path), str(tmp_path), size=1, files=10**9)


def test_a_full_target_does_not_stop_a_run_that_copies_nothing(volume: SimpleNamespace, tmp_path: Path) -> None:
    volume.f_bavail = 0
    ensure_room(room(tmp_path), str(tmp_path), size=0, files=0)
