"""Comparing a tree with a manifest finds every difference, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.verify import VerifyReport, verify_replica
from tests.builders.storage import Pair, make_pair, put


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A replica that is equal to point A."""
    pair = make_pair(tmp_path / "pair")
    put(pair.source, {"a": b"1", "b": b"22", "t/c": b"333", "t/.tmp/x": b"1", "empty": None})
    (pair.source / "link").symlink_to("a")
    pair.seal("A")
    pair.apply("A")
    return pair


def compared(pair: Pair, *exclude: str, deep: bool) -> VerifyReport:
    return verify_replica(pair.target, pair.catalog.manifest_path("A"), deep=deep, exclude=exclude)


@pytest.mark.parametrize("deep", [False, True])
def test_what_was_applied_is_equal(pair: Pair, deep: bool) -> None:
    report = compared(pair, deep=deep)
    assert report == VerifyReport(files=4, bytes=7, missing=(), unexpected=(), different=())
    assert report.equal


def rewritten_in_place(live: Path) -> None:
    facts = (live / "a").stat()
    (live / "a").write_bytes(b"X")
    os.utime(live / "a", ns=(1, facts.st_mtime_ns))


def swapped_for_a_link(live: Path) -> None:
    (live / "a").unlink()
    (live / "a").symlink_to("b")


def swapped_for_a_folder(live: Path) -> None:
    (live / "a").unlink()
    (live / "a").mkdir()


def relinked(live: Path) -> None:
    (live / "link").unlink()
    (live / "link").symlink_to("b")


@pytest.mark.parametrize(
    ("act", "finding", "path", "seen_shallow"),
    [
        (lambda live: (live / "a").unlink(), "missing", b"a", True),
        (lambda live: (live / "empty").rmdir(), "missing", b"empty", True),
        (lambda live: put(live, {"t/new\n": b""}), "unexpected", b"t/new\n", True),
        (lambda live: put(live, {"new": None}), "unexpected", b"new", True),
        (lambda live: put(live, {"a": b"12"}), "different", b"a", True),
        (lambda live: (live / "a").chmod(0o600), "different", b"a", True),
        (lambda live: (live / "t").chmod(0o700), "different", b"t", True),
        (swapped_for_a_link, "different", b"a", True),
        (swapped_for_a_folder, "different", b"a", True),
        (relinked, "different", b"link", True),
        (rewritten_in_place, "different", b"a", False),
    ],
)
def test_each_difference_is_found(
    pair: Pair, act: Callable[[Path], None], finding: str, path: bytes, seen_shallow: bool
) -> None:
    act(pair.live)
    for deep in (False, True):
        report = compared(pair, deep=deep)
        found = {name: getattr(report, name) for name in ("missing", "unexpected", "different")}
        expected = dict.fromkeys(found, ()) | ({finding: (path,)} if deep or seen_shallow else {})
        assert found == expected
        assert report.equal == (not (deep or seen_shallow))


def test_a_file_that_was_only_touched_is_equal_when_its_content_was_read(pair: Pair) -> None:
    os.utime(pair.live / "a", ns=(1, 1))
    assert compared(pair, deep=False).different == (b"a",)
    assert compared(pair, deep=True).equal


def test_a_folders_time_does_not_matter(pair: Pair) -> None:
    put(pair.live, {"t/new": b""})
    (pair.live / "t" / "new").unlink()
    assert compared(pair, deep=False).equal


def test_a_storage_that_keeps_coarser_times_is_equal(pair: Pair) -> None:
    facts = (pair.live / "a").stat()
    os.utime(pair.live / "a", ns=(1, facts.st_mtime_ns // 10**9 * 10**9))
    assert compared(pair, deep=False).equal


@pytest.mark.parametrize("pattern", ["*/.tmp/*", "*.tmp"])
def test_what_is_left_out_now_is_neither_missing_nor_unexpected(pair: Pair, pattern: str) -> None:
    put(pair.live, {"t/.tmp/y": b"written at the site"})
    assert compared(pair, deep=True).unexpected == (b"t/.tmp/y",)
    report = compared(pair, pattern, deep=True)
    assert report == VerifyReport(files=3, bytes=6, missing=(), unexpected=(), different=())


def test_what_no_point_can_hold_is_refused(pair: Pair) -> None:
    os.mkfifo(pair.live / "pipe")
    with pytest.raises(IntegrityError, match="pipe is a device, socket or pipe"):
        compared(pair, deep=False)


def test_all_differences_are_named_in_order(pair: Pair) -> None:
    put(pair.live, {"b": b"XX", "z": b"", "0": b""})
    (pair.live / "t" / "c").chmod(0o600)
    swapped_for_a_folder(pair.live)
    report = compared(pair, deep=True)
    assert (report.different, report.unexpected) == ((b"a", b"b", b"t/c"), (b"0", b"z"))
