"""One batch: what rsync brings, what it does not bring, and what is believed of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.limit import Limit
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.ssh import batches
from incorta_provider.storage.ssh.batches import BatchCopier
from incorta_provider.storage.ssh.facts import Facts, State, ensure_readable, facts_of
from incorta_provider.storage.ssh.packed import Packed, pack, unpack
from incorta_provider.storage.ssh.pieces import PIECE_BYTES, Piece, pieces_of
from incorta_provider.storage.ssh.received import adopt
from incorta_provider.storage.ssh.rsync import Ended
from incorta_provider.storage.ssh.rsync_commands import Handling
from incorta_provider.storage.tree import Missed
from tests.builders.storage import NS, put, snapshot


@dataclass
class FakeSource:
    """Answers with these facts, one set for each question."""

    answers: list[dict[bytes, Facts]]
    unreadable: bool = False
    content: bytes | None = b"1"

    def facts(self, paths: Sequence[bytes], *, rest: bool) -> list[Facts]:
        now = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [now[path] for path in paths]

    def packed(self, paths: Sequence[bytes]) -> list[Packed]:
        before, after = self.facts(paths, rest=True), self.facts(paths, rest=False)
        return [Packed(*facts, self.content) for facts in zip(before, after, strict=True)]

    def ensure_readable(self, paths: Sequence[bytes]) -> None:
        if self.unreadable:
            raise IntegrityError(f"cannot read {paths[0]!r}", where="there", fix="Do.")


@dataclass
class FakeCarrier:
    """Brings everything but what ``missing`` names."""

    ends: list[Ended] = field(default_factory=lambda: [Ended(0, "")])
    missing: set[bytes] = field(default_factory=set)
    handlings: list[Handling] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    dropped: list[bytes] = field(default_factory=list)
    place: str = "from there to here"

    def bring(self, paths: Sequence[bytes], handling: Handling) -> tuple[bytes, Ended]:
        self.handlings.append(handling)
        return b"/incoming", self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]

    def new_folder(self) -> bytes:
        return b"/pieces"

    def bring_piece(self, incoming: bytes, piece: Piece) -> Ended:
        self.pieces.append(piece)
        return self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]

    def drop(self, incoming: bytes) -> None:
        self.dropped.append(incoming)

    def take_in(self, incoming: bytes, entries: Sequence[Entry]) -> list[bytes | None]:
        return [None if entry.path in self.missing else b"d" * 32 for entry in entries]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(batches, "_RETRY_PAUSES", (0.0, 0.0))


A = Entry(b"a", Kind.FILE, 1, NS, 0o644)
HERE = Facts(State.FILE, 1, NS, NS, 0o644, 1)


def copy(source: FakeSource, carrier: FakeCarrier) -> Entry | Missed:
    return BatchCopier(source, carrier, 4)([A])[0]


def test_what_arrives_has_the_facts_of_before_and_the_digest_of_what_arrived() -> None:
    assert copy(FakeSource([{b"a": HERE}]), FakeCarrier()) == A._replace(sha256=b"d" * 32)


@pytest.mark.parametrize(
    "after", [HERE._replace(size=2), HERE._replace(mtime_ns=NS + 1), HERE._replace(ctime_ns=NS + 1), Facts(State.GONE)]
)
def test_a_file_that_changed_under_every_try_is_unsettled(after: Facts) -> None:
    source = FakeSource([{b"a": HERE}, {b"a": after}] * 3)
    expected = Missed.VANISHED if after.state == State.GONE else Missed.UNSETTLED
    assert copy(source, FakeCarrier()) in {expected, Missed.UNSETTLED}


def test_a_second_name_is_no_change() -> None:
    source = FakeSource([{b"a": HERE}, {b"a": HERE._replace(ctime_ns=NS + 1, names=2)}])
    assert copy(source, FakeCarrier()) == A._replace(sha256=b"d" * 32)


def test_a_change_that_ends_is_copied_in_the_end() -> None:
    newer = HERE._replace(mtime_ns=NS + 5)
    assert copy(FakeSource([{b"a": HERE}, {b"a": newer}, {b"a": newer}]), FakeCarrier()) == A._replace(
        mtime_ns=NS + 5, sha256=b"d" * 32
    )


def test_what_rsync_could_not_verify_is_brought_again_with_care() -> None:
    carrier = FakeCarrier(ends=[Ended(23, "failed verification"), Ended(0, "")])
    assert isinstance(copy(FakeSource([{b"a": HERE}]), carrier), Entry)
    assert carrier.handlings == [Handling.FAST, Handling.CAREFUL]


def test_files_with_holes_are_brought_as_such() -> None:
    carrier = FakeCarrier()
    copy(FakeSource([{b"a": HERE._replace(has_holes=1)}]), carrier)
    assert carrier.handlings == [Handling.SPARSE]


def test_an_unreadable_file_is_named() -> None:
    carrier = FakeCarrier(ends=[Ended(23, "Permission denied (13)")], missing={b"a"})
    with pytest.raises(IntegrityError, match="cannot read b'a'"):
        copy(FakeSource([{b"a": HERE}], unreadable=True), carrier)


def test_a_lost_connection_is_tried_again_as_a_batch() -> None:
    carrier = FakeCarrier(ends=[Ended(255, "lost"), Ended(12, "lost"), Ended(0, "")])
    assert isinstance(copy(FakeSource([{b"a": HERE}]), carrier), Entry)


@pytest.mark.parametrize(("ended", "missing"), [(Ended(255, "lost"), set()), (Ended(0, ""), {b"a"})])
def test_what_fails_each_time_is_told(ended: Ended, missing: set[bytes]) -> None:
    with pytest.raises(TransientError):
        copy(FakeSource([{b"a": HERE}]), FakeCarrier(ends=[ended], missing=missing))


# Few bytes


@dataclass
class FakeTaker:
    """Takes what comes packed."""

    digest: bytes | None = b"d" * 32
    contents: list[bytes] = field(default_factory=list)

    def take_packed(self, entries: Sequence[Entry], contents: Sequence[bytes]) -> list[bytes | None]:
        self.contents += contents
        wanted = [entry.sha256 for entry in entries]
        assert wanted == [sha256(content).digest() for content in contents], "what is written is held against it"
        return [self.digest] * len(entries)


def packed_copy(source: FakeSource, taker: FakeTaker, carrier: FakeCarrier | None = None) -> Entry | Missed:
    return BatchCopier(source, carrier or FakeCarrier(), 4, taker)([A])[0]


def test_few_bytes_come_without_rsync() -> None:
    taker, carrier = FakeTaker(), FakeCarrier()
    assert packed_copy(FakeSource([{b"a": HERE}]), taker, carrier) == A._replace(sha256=b"d" * 32)
    assert (taker.contents, carrier.handlings) == ([b"1"], [])


@pytest.mark.parametrize(
    ("before", "after", "content", "expected"),
    [
        (HERE, HERE._replace(mtime_ns=NS + 1), b"1", Missed.UNSETTLED),
        (HERE, HERE, b"", Missed.UNSETTLED),
        (HERE, Facts(State.GONE), None, Missed.UNSETTLED),
        (Facts(State.GONE), Facts(State.GONE), None, Missed.VANISHED),
        (Facts(State.OTHER), Facts(State.OTHER), None, Missed.UNSETTLED),
    ],
)
def test_what_changed_is_not_taken(before: Facts, after: Facts, content: bytes | None, expected: Missed) -> None:
    taker, carrier = FakeTaker(), FakeCarrier()
    source = FakeSource([{b"a": before}, {b"a": after}] * 3, content=content)
    assert packed_copy(source, taker, carrier) == expected
    assert (taker.contents, carrier.handlings) == ([], [])


def test_what_cannot_come_packed_comes_by_rsync() -> None:
    carrier = FakeCarrier()
    source = FakeSource([{b"a": HERE._replace(has_holes=1)}], content=None)
    assert isinstance(packed_copy(source, FakeTaker(), carrier), Entry)
    assert carrier.handlings == [Handling.SPARSE]


def test_what_is_not_there_as_it_was_sent_is_told() -> None:
    with pytest.raises(TransientError, match="a was copied, but is not complete at the target"):
        packed_copy(FakeSource([{b"a": HERE}]), FakeTaker(digest=None))


@given(st.lists(st.tuples(st.integers(0, 2**62), st.none() | st.binary(max_size=50)), max_size=20))
def test_packing_keeps_everything(files: list[tuple[int, bytes | None]]) -> None:
    packed = [Packed(HERE._replace(size=size), HERE, content) for size, content in files]
    assert unpack(*pack(packed)) == packed


# Long files

LONG = HERE._replace(size=2 * PIECE_BYTES + 1)
PIECES = [Piece(b"a", 0, PIECE_BYTES), Piece(b"a", PIECE_BYTES, PIECE_BYTES), Piece(b"a", 2 * PIECE_BYTES, 1)]


def long_copy(answers: list[Facts], carrier: FakeCarrier) -> Entry | Missed:
    """Copy a long file over one line, so that its pieces come in their order."""
    source = FakeSource([{b"a": facts} for facts in answers])
    return BatchCopier(source, carrier, 1)([A._replace(size=LONG.size)])[0]


def test_a_long_file_comes_in_pieces() -> None:
    carrier = FakeCarrier()
    assert isinstance(long_copy([LONG], carrier), Entry)
    assert carrier.pieces == PIECES
    assert carrier.handlings == []


def test_only_the_pieces_that_a_cut_took_are_brought_again() -> None:
    carrier = FakeCarrier(ends=[Ended(0, ""), Ended(255, "lost"), Ended(0, "")])
    assert isinstance(long_copy([LONG], carrier), Entry)
    assert [carrier.pieces.count(piece) for piece in PIECES] == [1, 2, 1]
    assert carrier.dropped == []


def test_pieces_of_another_version_are_dropped() -> None:
    newer = LONG._replace(mtime_ns=NS + 5)
    carrier = FakeCarrier(ends=[Ended(0, ""), Ended(0, ""), Ended(255, "lost"), Ended(0, "")])
    assert long_copy([LONG, newer], carrier) == A._replace(size=LONG.size, mtime_ns=NS + 5, sha256=b"d" * 32)
    assert [carrier.pieces.count(piece) for piece in PIECES] == [2, 2, 2]
    assert carrier.dropped == [b"/pieces"]


def test_a_long_file_with_holes_is_left_to_rsync() -> None:
    carrier = FakeCarrier()
    assert isinstance(long_copy([LONG._replace(has_holes=1)], carrier), Entry)
    assert (carrier.handlings, carrier.pieces) == ([Handling.SPARSE], [])


@given(size=st.integers(0, 5 * PIECE_BYTES + 7))
def test_pieces_make_the_file(size: int) -> None:
    ends = [0]
    for piece in pieces_of(b"a", size):
        assert (piece.begin, 0 < piece.size <= PIECE_BYTES) == (ends[-1], True)
        ends.append(piece.begin + piece.size)
    assert ends[-1] == size


# What arrived


def entry_of(root: Path, path: bytes) -> Entry:
    (facts,) = facts_of(os.fsencode(root), [path], rest=False)
    return Entry(path, Kind.FILE, facts.size, NS, 0o640)


@pytest.fixture
def adopting(tmp_path: Path) -> Callable[[Sequence[bytes]], list[bytes | None]]:
    def call(paths: Sequence[bytes]) -> list[bytes | None]:
        entries = [entry_of(tmp_path / "in", path) for path in paths]
        return adopt(os.fsencode(tmp_path / "in"), os.fsencode(tmp_path / "area"), entries)

    return call


def test_a_whole_folder_takes_one_rename(tmp_path: Path, adopting, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    put(tmp_path / "in", {f"x/y/{number}": b"1" for number in range(5)})
    monkeypatch.setattr(os, "replace", None)
    assert None not in adopting([b"x/y/%d" % number for number in range(5)])
    found = snapshot(tmp_path / "area", times=True)
    assert found[b"x/y/0"] == ("file", 0o640, b"1", NS)
    assert len(found) == 7


def test_a_folder_with_something_else_in_it_is_taken_file_by_file(tmp_path: Path, adopting) -> None:  # type: ignore[no-untyped-def]
    put(tmp_path / "in", {"x/a": b"1", "x/b/c": b"1", "x/z": b"1", "x/not asked for": b"1"})
    assert None not in adopting([b"x/a", b"x/b/c", b"x/z"])
    assert sorted(snapshot(tmp_path / "area")) == [b"x", b"x/a", b"x/b", b"x/b/c", b"x/z"]


def test_a_folder_that_is_there_is_filled_up(tmp_path: Path, adopting) -> None:  # type: ignore[no-untyped-def]
    put(tmp_path / "area", {"x/old": b"0", "x/a": b"0"})
    put(tmp_path / "in", {"x/a": b"1", "x/b": b"1"})
    adopting([b"x/a", b"x/b"])
    assert {path: facts[2] for path, facts in snapshot(tmp_path / "area").items() if facts[0] == "file"} == {
        b"x/old": b"0",
        b"x/a": b"1",
        b"x/b": b"1",
    }


def test_what_has_another_size_is_not_taken(tmp_path: Path) -> None:
    put(tmp_path / "in", {"x/a": b"12"})
    wanted = Entry(b"x/a", Kind.FILE, 1, NS, 0o640)
    area = tmp_path / "area"
    assert adopt(os.fsencode(tmp_path / "in"), os.fsencode(area), [wanted]) == [None]
    assert not area.exists()


def test_a_file_that_was_just_written_is_left_to_rest(tmp_path: Path) -> None:
    put(tmp_path, {"a": b"1"})
    (facts,) = facts_of(os.fsencode(tmp_path), [b"a"], rest=True)
    assert facts.state == State.FILE
    assert facts_of(os.fsencode(tmp_path), [b"none"], rest=True) == [Facts(State.GONE)]
    ensure_readable(os.fsencode(tmp_path), [b"a", b"none"])


@pytest.mark.parametrize(("rate", "most"), [(None, 16 << 20), (1 << 30, 16 << 20), (400_000, 1_000_000), (4, 10)])
def test_a_low_limit_makes_small_batches(tmp_path: Path, rate: int | None, most: int) -> None:
    """An rsync keeps its rate to its end; a limit that is changed is to be felt before the batch of an hour is done."""
    with Throttle(Board(), Limit(tmp_path, rate, tmp_path / "run")).current():
        limits = BatchCopier(FakeSource([{}]), FakeCarrier(), 4).limits
    assert limits.batch_bytes == most
    assert limits.workers == 6
