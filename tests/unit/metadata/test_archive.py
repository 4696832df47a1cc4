from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.metadata.archive import ensure_digest, new_archive, read_archive

TEXT = b"INSERT INTO `t` VALUES (1);\n" * 5000


def archive(path: Path, *pieces: bytes) -> str:
    with new_archive(path) as file:
        for piece in pieces:
            file.write(piece)
        return file.close()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dump.zst"
    digest = archive(path, TEXT, b"", TEXT)
    assert b"".join(read_archive(path)) == TEXT * 2
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    ensure_digest(path, digest)


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "dump.zst"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), new_archive(path):
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_takes_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="cannot be written: No such file"):
        archive(tmp_path / "none" / "dump.zst", TEXT)


@settings(max_examples=200)
@given(st.data())
def test_no_cut_and_no_flipped_bit_changes_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "dump.zst"
    digest = archive(path, TEXT)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    if data.draw(st.booleans()):
        del damaged[at:]
    else:
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    with suppress(IntegrityError):
        assert b"".join(read_archive(path)) == TEXT, "a bit that nobody reads; the digest below finds it too"
    with pytest.raises(IntegrityError, match="its SHA-256 is"):
        ensure_digest(path, digest)


@pytest.mark.parametrize("extra", [b"x", b"\0" * 300_000])
def test_what_follows_the_end_is_refused(extra: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dump.zst"
    archive(path, TEXT)
    path.write_bytes(path.read_bytes() + extra)
    with pytest.raises(IntegrityError, match="something follows its end"):
        list(read_archive(path))


def test_an_absent_file_is_damage(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="No such file"):
        list(read_archive(tmp_path / "none"))
    with pytest.raises(IntegrityError, match="No such file"):
        ensure_digest(tmp_path / "none", "00")
