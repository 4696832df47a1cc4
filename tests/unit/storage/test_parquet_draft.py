"""Our Parquet files: what cannot be written, or read right now, is not a damaged file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from incorta_provider.exceptions import DrError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage.flow.watchdog import StalledError
from incorta_provider.storage.manifest import base_rows, parquet_draft
from incorta_provider.storage.manifest.base_rows import BaseRows
from incorta_provider.storage.manifest.manifest_file import GROUP_ROWS, ManifestWriter, read_totals
from tests.builders.storage import file

HANGS = """
import sys, threading
from pathlib import Path
import pyarrow.parquet as pq
from incorta_provider.storage.manifest.manifest_file import ManifestWriter
from tests.builders.storage import file

hangs = threading.Event()

def write_table(*_):
    hangs.set()
    threading.Event().wait()

def work():
    with ManifestWriter(Path(sys.argv[1])) as writer:
        writer.add(file(b"a"))

pq.ParquetWriter.write_table = write_table
threading.Thread(target=work, daemon=True).start()
hangs.wait()
"""
"""Work that was left behind, as :func:`incorta_provider.storage.flow.watched.watched` does it."""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    with ManifestWriter(tmp_path / "m") as writer:
        writer.add(file(b"a"))
    return tmp_path / "m"


def failing(code: int | None) -> OSError:
    return OSError("the page is damaged") if code is None else OSError(code, os.strerror(code))


KINDS = [
    (errno.EIO, TransientError, "reading the manifest failed"),
    (errno.ESTALE, TransientError, "reading the manifest failed"),
    (errno.ENOENT, IntegrityError, "the manifest cannot be read"),
    (None, IntegrityError, "the manifest cannot be read"),
]


@pytest.mark.parametrize(("code", "kind", "what"), KINDS)
def test_a_storage_that_fails_is_not_a_damaged_manifest(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, code: int | None, kind: type[DrError], what: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failing(code)

    with BaseRows(manifest) as base, monkeypatch.context() as patched:
        patched.setattr(base_rows, "read_group", fail)
        with pytest.raises(kind, match=what):
            base.between(b"", None).columns()
    monkeypatch.setattr(pq, "ParquetFile", fail)
    with pytest.raises(kind, match=what) as caught:
        read_totals(manifest)
    assert caught.value.where == str(manifest)


def test_what_fails_while_the_base_is_open_is_not_its_fault(manifest: Path) -> None:
    with pytest.raises(OSError, match="No space left"), BaseRows(manifest):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_draft_that_does_not_reach_the_disk_names_its_place_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(parquet_draft, "sync_file", full)
    with pytest.raises(PreconditionError, match="no room left") as caught, ManifestWriter(tmp_path / "m") as writer:
        writer.add(file(b"a"))
    assert caught.value.where == str(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("group", [1, 2, 3])
def test_a_group_that_cannot_be_written_is_told_whichever_it_is_and_nothing_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    written, write = [], pq.ParquetWriter.write_table

    def fill(*given: Any) -> None:
        written.append(given)
        if len(written) == group:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(*given)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fill)
    with pytest.raises(PreconditionError, match="no room left"), ManifestWriter(tmp_path / "m") as writer:
        writer.extend(file(b"%07d" % number) for number in range(2 * GROUP_ROWS + 1))
    assert len(written) == group
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    """Python waits at its end for the threads of its own pools, but not for those that are left behind."""
    paths = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-c", HANGS, str(tmp_path / "m")]
    subprocess.run(command, timeout=60, check=True, env={**os.environ, "PYTHONPATH": paths})
    assert not (tmp_path / "m").exists()


def test_a_write_that_hangs_does_not_keep_what_stalled_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, ended = threading.Event(), []
    monkeypatch.setattr(pq.ParquetWriter, "write_table", lambda *_: ended.append(goes_on.wait(30)))
    writer = ManifestWriter(tmp_path / "m")

    def stall() -> None:
        with writer:
            writer.extend(file(b"%07d" % number) for number in range(GROUP_ROWS))
            raise StalledError("no byte moved")

    with pytest.raises(StalledError, match="no byte moved"):
        stall()
    assert ended == []
    goes_on.set()
    writer._beside._threads[0].join(30)
    assert not (tmp_path / "m").exists()
