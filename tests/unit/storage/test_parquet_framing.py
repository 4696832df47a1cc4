"""B49: a Parquet file is in no recovery point until it is whole; and no whole one is ever left out."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incorta_provider.storage import parquet_framing
from incorta_provider.storage.parquet_framing import framing_fault, is_parquet


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    pq.write_table(pa.table({"number": list(range(50)), "text": [str(number) for number in range(50)]}), path)
    return path.read_bytes()


def fault(tmp_path: Path, content: bytes) -> str | None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    handle = os.open(path, os.O_RDONLY)
    try:
        return framing_fault(handle)
    finally:
        os.close(handle)


def test_a_whole_file_has_no_fault(tmp_path: Path, whole: bytes) -> None:
    assert fault(tmp_path, whole) is None


def test_a_whole_file_is_told_without_a_parquet_library(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_framing, "_is_readable", lambda handle: pytest.fail("the library was asked"))
    assert fault(tmp_path, whole) is None


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("rows", [0, 1, 10_000])
@pytest.mark.parametrize("version", ["1.0", "2.6"])
def test_what_writers_write_is_whole(tmp_path: Path, compression: str, rows: int, version: str) -> None:
    path = tmp_path / "y.parquet"
    pq.write_table(pa.table({"a": list(range(rows))}), path, compression=compression, version=version)
    assert fault(tmp_path, path.read_bytes()) is None


def test_a_file_cut_anywhere_is_not_whole(tmp_path: Path, whole: bytes) -> None:
    for length in range(len(whole)):
        assert fault(tmp_path, whole[:length]) is not None, length


def test_a_file_that_lacks_one_byte_anywhere_in_its_frame_is_not_whole(tmp_path: Path, whole: bytes) -> None:
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    for at in (*range(4), *range(len(whole) - footer, len(whole))):
        assert fault(tmp_path, whole[:at] + whole[at + 1 :]) is not None, at


@pytest.mark.parametrize("wrong", [-50, -1, 1, 7, 1000, 1 << 31])
def test_a_wrong_footer_length_is_not_whole(tmp_path: Path, whole: bytes, wrong: int) -> None:
    length = int.from_bytes(whole[-8:-4], "little") + wrong
    assert fault(tmp_path, whole[:-8] + length.to_bytes(4, "little") + b"PAR1") is not None


def test_a_footer_length_of_zero_is_not_whole(tmp_path: Path, whole: bytes) -> None:
    assert fault(tmp_path, whole[:-8] + bytes(4) + b"PAR1") == "the footer's length, 0, is wrong"


def test_bytes_behind_the_end_are_a_file_that_is_still_being_written(tmp_path: Path, whole: bytes) -> None:
    assert fault(tmp_path, whole + b"\0") == "the magic bytes are not at both ends"
    assert fault(tmp_path, whole + whole[:-4]) is not None


def test_an_encrypted_footer_is_whole(tmp_path: Path) -> None:
    encrypted = b"PARE" + b"cipher" * 5 + (20).to_bytes(4, "little") + b"PARE"
    assert fault(tmp_path, encrypted) is None
    assert fault(tmp_path, encrypted[:-4] + b"PAR1") is not None


def test_a_frame_that_looks_odd_but_can_be_read_is_whole(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer with another order of fields must not lose its files: the library has the last word."""
    monkeypatch.setattr(parquet_framing, "_FOOTER_BEGINS", b"\x99")
    assert fault(tmp_path, whole) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a/part-0.parquet", True),
        (b"A.PARQUET", True),
        (b"a.snappy.parquet", True),
        (b"a.parquet.crc", False),
        (b".parquet/x", False),
        (b"parquet", False),
    ],
)
def test_the_name_says_what_should_be_parquet(name: bytes, expected: bool) -> None:
    assert is_parquet(name) == expected
