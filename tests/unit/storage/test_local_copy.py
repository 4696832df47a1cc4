"""Copying one file: what it proves and what it refuses."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage.copying.proven import Proven
from incorta_provider.storage.digests import BUFFER_BYTES, PART_BYTES
from incorta_provider.storage.local import copy as local_copy
from incorta_provider.storage.local.copy import copy_file, copy_proven, read_small
from incorta_provider.storage.tree import Missed
from tests.builders.storage import NS, file, put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, {"source/a": b"hello", "target": None})
    os.utime(tmp_path / "source" / "a", ns=(NS, NS))
    return tmp_path


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_copy, "_PAUSES", (0, 0))


def copied(root: Path, path: bytes = b"a") -> Entry | Missed:
    return copy_file(os.fsencode(root / "source"), file(path), os.fsencode(root / "target" / "copy"))


def while_reading(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Call ``act`` with a running number behind each read of a source."""
    readv, calls = os.readv, []

    def read(handle: int, buffers: list[memoryview]) -> int:
        count = readv(handle, buffers)
        calls.append(count)
        act(len(calls))
        return count

    monkeypatch.setattr(os, "readv", read)


EDGES = [BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, BUFFER_BYTES + PART_BYTES, BUFFER_BYTES + PART_BYTES + 1]


@pytest.mark.parametrize("size", [0, 1, *EDGES, 3 * BUFFER_BYTES])
def test_a_copy_has_content_time_mode_and_digest(root: Path, size: int) -> None:
    content = os.urandom(size)
    source = root / "source" / "a"
    source.write_bytes(content)
    source.chmod(0o6640)
    os.utime(source, ns=(1, NS))
    assert copied(root) == Entry(b"a", Kind.FILE, size, NS, 0o640, hashlib.sha256(content).digest())
    copy = root / "target" / "copy"
    assert copy.read_bytes() == content
    assert (copy.stat().st_mtime_ns, copy.stat().st_mode & 0o7777) == (NS, 0o640)


def test_what_is_copied_is_described_as_it_is_now_and_not_as_it_was_listed(root: Path) -> None:
    listed = file(b"a", b"another, longer content", mtime_ns=5, mode=0o600)
    entry = copy_file(os.fsencode(root / "source"), listed, os.fsencode(root / "target" / "copy"))
    assert entry == file(b"a", b"hello")


def test_holes_stay_holes(root: Path) -> None:
    size = 64 * BUFFER_BYTES
    with (root / "source" / "a").open("wb") as sparse:
        sparse.seek(8 * BUFFER_BYTES)
        sparse.write(b"island")
        sparse.truncate(size)
    entry = copied(root)
    assert isinstance(entry, Entry)
    copy = root / "target" / "copy"
    assert copy.stat().st_size == size
    assert copy.stat().st_blocks * 512 < 4 * BUFFER_BYTES
    assert entry.sha256 == hashlib.sha256(copy.read_bytes()).digest()
    assert copy.read_bytes() == (root / "source" / "a").read_bytes()


def test_a_file_that_is_gone_has_vanished(root: Path) -> None:
    assert copied(root, b"gone") is Missed.VANISHED
    assert copied(root, b"a/below-a-file") is Missed.VANISHED
    assert copied(root, b"folder/gone") is Missed.VANISHED


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("b"), os.mkfifo, lambda path: path.mkdir()])
def test_what_is_no_file_any_more_is_not_followed_and_not_waited_for(root: Path, make: Callable[[Path], None]) -> None:
    put(root / "source", {"b": b"secret"})
    (root / "source" / "a").unlink()
    make(root / "source" / "a")
    assert copied(root) is Missed.UNSETTLED


@pytest.mark.parametrize("replacement", [None, b"another"])
def test_a_file_that_is_removed_or_replaced_under_the_copy_is_copied_whole(
    root: Path, monkeypatch: pytest.MonkeyPatch, replacement: bytes | None
) -> None:
    def remove(number: int) -> None:
        if number == 1:
            (root / "source" / "a").unlink()
            if replacement:
                put(root, {"source/a": replacement})

    while_reading(monkeypatch, remove)
    assert copied(root) == file(b"a", b"hello")
    assert (root / "target" / "copy").read_bytes() == b"hello"


@pytest.mark.parametrize("change", [b"longer content", b"olleh", b""])
def test_a_file_that_changes_under_every_try_is_unsettled(
    root: Path, monkeypatch: pytest.MonkeyPatch, change: bytes
) -> None:
    tries = []

    def write(number: int) -> None:
        tries.append(number)
        (root / "source" / "a").write_bytes(change + b"." * number)

    while_reading(monkeypatch, write)
    assert copied(root) is Missed.UNSETTLED
    assert len(tries) >= 3


def test_a_file_that_settles_is_copied_by_a_later_try(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_once(number: int) -> None:
        if number == 1:
            (root / "source" / "a").write_bytes(b"settled")

    while_reading(monkeypatch, write_once)
    entry = copied(root)
    assert isinstance(entry, Entry)
    assert entry.sha256 == hashlib.sha256(b"settled").digest()
    assert (root / "target" / "copy").read_bytes() == b"settled"


def test_a_change_that_keeps_size_and_time_is_seen_by_the_change_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rewrite(number: int) -> None:
        if number == 1:
            (root / "source" / "a").write_bytes(b"HELLO")
            os.utime(root / "source" / "a", ns=(NS, NS))

    while_reading(monkeypatch, rewrite)
    assert copied(root) == file(b"a", b"HELLO")


def test_a_write_right_behind_the_copy_can_be_seen_by_the_next_listing(root: Path) -> None:
    """Same size, and in the tick of the clock in which the file was written before: the time must differ after all."""
    for number in range(40):
        put(root, {"source/a": b"%05d" % number})
        entry = copied(root)
        put(root, {"source/a": b"%05d" % -number})
        assert isinstance(entry, Entry)
        assert (root / "source" / "a").stat().st_mtime_ns != entry.mtime_ns
        (root / "target" / "copy").unlink()


def test_a_file_of_a_file_system_that_keeps_seconds_rests_for_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for age, expected in ((0.25, 0.75), (0.999, 0.001), (1.5, None), (-0.5, None)):
        monkeypatch.setattr(time, "time_ns", lambda age=age: 1_800_000_000 * 10**9 + int(age * 10**9))
        os.utime(root / "source" / "a", ns=(1, 1_800_000_000 * 10**9))
        copied(root)
        (root / "target" / "copy").unlink()
        assert slept == ([pytest.approx(expected)] if expected else [])
        slept.clear()


def test_what_is_there_is_not_written_over(root: Path) -> None:
    put(root, {"target/copy": b"earlier"})
    with pytest.raises(FileExistsError):
        copied(root)
    assert (root / "target" / "copy").read_bytes() == b"earlier"


@pytest.mark.parametrize(
    ("code", "kind", "what"),
    [
        (errno.EACCES, IntegrityError, "cannot read a"),
        (errno.EPERM, IntegrityError, "cannot read a"),
        (errno.EIO, TransientError, "reading a failed"),
        (errno.ETIMEDOUT, TransientError, "reading a failed"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_apart(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], what: str
) -> None:
    def fail(handle: int, buffers: list[memoryview]) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "readv", fail)
    with pytest.raises(kind, match=what):
        copied(root)


@pytest.mark.parametrize(
    ("code", "kind", "what"),
    [
        (errno.ENOSPC, PreconditionError, "no room left"),
        (errno.EDQUOT, PreconditionError, "no room left"),
        (errno.EROFS, ConfigurationError, "cannot write"),
        (errno.EIO, TransientError, "writing failed"),
    ],
)
def test_a_target_that_cannot_be_written_is_told_apart(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], what: str
) -> None:
    def fail(handle: int, chunk: memoryview) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(kind, match=what):
        copied(root)


def test_a_short_write_is_continued(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, chunk: write(handle, chunk[:2]))
    assert copied(root) == file(b"a", b"hello")
    assert (root / "target" / "copy").read_bytes() == b"hello"


def test_a_path_that_is_too_long_is_named(root: Path) -> None:
    with pytest.raises(IntegrityError, match="too long"):
        copied(root, b"d" * 300)


@pytest.mark.parametrize("size", [5, 2 * BUFFER_BYTES, 2 * BUFFER_BYTES + 7])
def test_what_does_not_arrive_as_it_was_read_is_no_copy(root: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    write = os.write

    def flip(handle: int, chunk: memoryview) -> int:
        return write(handle, bytes(chunk[:-1]) + bytes([chunk[-1] ^ 1]))

    (root / "source" / "a").write_bytes(os.urandom(size))
    monkeypatch.setattr(os, "write", flip)
    with pytest.raises(TransientError, match="not what can be read back"):
        copied(root)
    assert not (root / "target" / "copy").exists()


@pytest.mark.parametrize("size", [0, 5, 2 * BUFFER_BYTES])
def test_a_proof_holds_until_the_copy_is_touched(root: Path, size: int) -> None:
    (root / "source" / "a").write_bytes(os.urandom(size))
    copy = root / "target" / "copy"
    proven = copy_proven(os.fsencode(root / "source"), file(b"a"), os.fsencode(copy))
    assert isinstance(proven, Proven)
    assert proven.changed_ns == copy.stat().st_ctime_ns
    facts = copy.stat()
    copy.write_bytes(copy.read_bytes())
    os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert proven.changed_ns != copy.stat().st_ctime_ns


@pytest.mark.parametrize("size", [4, 2 * BUFFER_BYTES])
def test_a_proof_tells_of_a_parquet_file_that_is_not_whole(root: Path, size: int) -> None:
    put(root / "source", {"half.parquet": b"x" * size, "half.txt": b"x" * size})
    framing = []
    for name in (b"half.parquet", b"half.txt"):
        proven = copy_proven(os.fsencode(root / "source"), file(name), os.fsencode(root / "target") + b"/" + name)
        assert isinstance(proven, Proven)
        framing.append(bool(proven.framing))
    assert framing == [True, False]


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
def test_the_mode_is_kept_whatever_the_process_masks(root: Path, mask: int) -> None:
    (root / "source" / "a").chmod(0o664)
    before = os.umask(mask)
    try:
        copied(root)
    finally:
        os.umask(before)
    assert (root / "target" / "copy").stat().st_mode & 0o777 == 0o664


def read_here(root: Path, most: int = 1000) -> tuple[Entry, bytes] | Missed | None:
    return read_small(os.fsencode(root / "source"), file(b"a"), most)


def test_a_small_file_is_read_with_its_facts_and_digest(root: Path) -> None:
    (root / "source" / "a").chmod(0o640)
    expected = Entry(b"a", Kind.FILE, 5, NS, 0o640, hashlib.sha256(b"hello").digest())
    assert read_here(root) == (expected, b"hello")
    assert read_here(root, most=5) == (expected, b"hello")


def test_a_file_that_grew_beyond_what_memory_holds_is_left_to_others(root: Path) -> None:
    assert read_here(root, most=4) is None


def test_a_file_that_vanished_or_is_none_is_missed(root: Path) -> None:
    path = root / "source" / "a"
    path.unlink()
    assert read_here(root) is Missed.VANISHED
    path.mkdir()
    assert read_here(root) is Missed.UNSETTLED


@pytest.mark.parametrize("change", [b"", b"hell", b"HELLO", b"hello, you"], ids=["emptied", "cut", "changed", "grown"])
def test_a_file_that_changes_while_it_is_read_is_unsettled(
    root: Path, monkeypatch: pytest.MonkeyPatch, change: bytes
) -> None:
    read = os.read

    def reading(handle: int, size: int) -> bytes:
        data = read(handle, size)
        (root / "source" / "a").write_bytes(change)
        return data

    monkeypatch.setattr(os, "read", reading)
    assert read_here(root) is Missed.UNSETTLED


def test_a_file_that_changed_once_is_read_as_it_is_then(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, calls = os.read, []

    def reading(handle: int, size: int) -> bytes:
        calls.append(size)
        data = read(handle, size)
        if len(calls) == 1:
            (root / "source" / "a").write_bytes(b"newer")
        return data

    monkeypatch.setattr(os, "read", reading)
    found = read_here(root)
    assert isinstance(found, tuple)
    assert (found[1], found[0].sha256) == (b"newer", hashlib.sha256(b"newer").digest())
