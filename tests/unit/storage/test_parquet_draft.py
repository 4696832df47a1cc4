"""Our Parquet files: what cannot be written, or read right now, is not a damaged file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from incorta_provider.exceptions import DrError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage.manifest import base_rows, parquet_draft
from incorta_provider.storage.manifest.base_rows import BaseRows
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_totals
from tests.builders.storage import file


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
