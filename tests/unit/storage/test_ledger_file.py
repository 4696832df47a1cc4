"""An acknowledged line stays, whole and once, whoever writes beside it and whatever is killed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.ledger import GENESIS, LedgerEntry, parse_line
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.records import ledger_file
from incorta_provider.storage.records.ledger_file import LedgerFile

AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerFile:
    """Return a ledger that does not exist yet, in a catalog that does not either."""
    return LedgerFile(tmp_path / "dr" / "catalog" / "ledger.jsonl")


def append(ledger: LedgerFile, key: str, details: Any = None) -> LedgerEntry:
    return ledger.append(
        "point.sealed", at=AT, key=key, group="acme", run_id="run1", actor="ada", details={"detail": details}
    )


def keys(ledger: LedgerFile) -> list[str]:
    return [entry.key for entry in ledger.entries()]


def test_a_ledger_that_does_not_exist_is_empty_and_whole(ledger: LedgerFile) -> None:
    assert list(ledger.entries()) == []
    assert ledger.recent(5) == []
    assert ledger.faults() == []
    assert not ledger.path.exists()


def test_lines_are_chained_in_the_order_in_which_they_were_written(ledger: LedgerFile) -> None:
    written = [append(ledger, key, {"n": number}) for number, key in enumerate("abc")]
    assert list(ledger.entries()) == written
    assert [entry.sequence for entry in written] == [1, 2, 3]
    assert [entry.previous for entry in written] == [GENESIS, written[0].digest, written[1].digest]
    assert ledger.faults() == []
    assert ledger.path.read_bytes().count(b"\n") == 3
    assert json.loads(ledger.path.read_bytes().splitlines()[1])["details"] == {"detail": {"n": 1}}


def test_a_retried_step_writes_its_line_once(ledger: LedgerFile) -> None:
    first = append(ledger, "a", "first")
    append(ledger, "b")
    content = ledger.path.read_bytes()
    assert append(ledger, "a", "again") == first
    assert append(LedgerFile(ledger.path), "a") == first
    assert ledger.path.read_bytes() == content


@pytest.mark.parametrize("key", ['a"b', "a\\", "\u2028", "ü", "a\nb", '"key": "z"', ""])
def test_a_strange_key_is_found_again_and_taken_for_no_other(ledger: LedgerFile, key: str) -> None:
    written = append(ledger, key)
    assert append(ledger, key) == written
    assert append(ledger, key + "x") != written
    assert keys(ledger) == [key, key + "x"]


def test_a_key_that_only_stands_in_the_details_is_no_key(ledger: LedgerFile) -> None:
    append(ledger, "a", {"key": "b", "text": '"key": "b"'})
    append(ledger, "b")
    assert keys(ledger) == ["a", "b"]


def test_the_last_entries_are_shown_oldest_first(ledger: LedgerFile) -> None:
    for key in "abcd":
        append(ledger, key)
    assert [entry.key for entry in ledger.recent(2)] == ["c", "d"]
    assert [entry.key for entry in ledger.recent(9)] == ["a", "b", "c", "d"]


def test_an_entry_is_on_disk_before_it_is_acknowledged(ledger: LedgerFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is there already: whoever wrote it may have died before its own flush to disk."""
    synced: list[int] = []

    def note_size(handle: int) -> None:
        synced.append(os.fstat(handle).st_size)

    monkeypatch.setattr(ledger_file.os, "fsync", note_size)
    append(ledger, "a")
    assert synced[0] == ledger.path.stat().st_size
    assert len(synced) == 2  # the line, and the name of the new file in its folder
    append(ledger, "a")
    append(ledger, "b")
    assert synced[2:] == [len(ledger.path.read_bytes().splitlines(keepends=True)[0]), ledger.path.stat().st_size]


def test_a_line_that_was_cut_anywhere_is_dropped_by_the_next_append(ledger: LedgerFile) -> None:
    kept = append(ledger, "a")
    whole = ledger.path.stat().st_size
    append(ledger, "b", "ü")
    content = ledger.path.read_bytes()
    for length in range(whole, len(content)):
        ledger.path.write_bytes(content[:length])
        assert list(ledger.entries()) == [kept]
        assert ledger.faults() == []
        assert append(ledger, "b", "ü").sequence == 2
        assert ledger.path.read_bytes() == content


@pytest.mark.parametrize("torn", [b"\0" * 64, b'{"at": "2026', b"\xff", b"x"])
def test_what_a_crash_left_at_the_end_of_an_empty_ledger_is_dropped(ledger: LedgerFile, torn: bytes) -> None:
    ledger.path.parent.mkdir(parents=True)
    ledger.path.write_bytes(torn)
    assert list(ledger.entries()) == []
    assert append(ledger, "a").previous == GENESIS
    assert ledger.faults() == []


@pytest.mark.parametrize("size", [1, 700, 5000])
def test_lines_longer_than_the_search_reaches_stay_chained(
    ledger: LedgerFile, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(ledger_file, "TAIL_BYTES", size)
    for number in range(6):
        append(ledger, str(number), "x" * 1000 * (number % 3))
        assert append(ledger, str(number)).sequence == number + 1
    assert ledger.faults() == []
    assert keys(ledger) == list("012345")


def test_a_torn_line_longer_than_the_search_reaches_is_dropped(
    ledger: LedgerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_file, "TAIL_BYTES", 100)
    append(ledger, "a")
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(content + b"x" * 1000)
    append(ledger, "b")
    assert keys(ledger) == ["a", "b"]
    assert ledger.faults() == []
    ledger.path.write_bytes(b"x" * 1000)
    assert append(ledger, "a").sequence == 1
    assert ledger.path.read_bytes() == content


@pytest.mark.parametrize("stray", [b"no entry", b"\xff\xfe", b""], ids=["text", "no UTF-8", "blank"])
def test_a_damaged_end_holds_up_nobody_and_stays_visible(ledger: LedgerFile, stray: bytes) -> None:
    append(ledger, "a")
    last = append(ledger, "b")
    spoiled = ledger.path.read_bytes() + stray + b"\n"
    ledger.path.write_bytes(spoiled)
    written = append(ledger, "c")
    assert append(ledger, "c") == written
    assert ledger.path.read_bytes().startswith(spoiled)
    bound, newest = (parse_line(line.decode()) for line in ledger.path.read_bytes().splitlines()[3:])
    assert newest == written
    assert (bound.event, bound.previous) == ("ledger.damaged", hashlib.sha256(stray).hexdigest())
    assert (bound.sequence, newest.sequence) == (last.sequence + 1, last.sequence + 2)
    assert newest.previous == bound.digest
    assert ledger.faults() == ["line 3: no ledger entry"]
    with pytest.raises(IntegrityError, match="a line of the ledger is not an entry") as refused:
        keys(ledger)
    assert refused.value.where == str(ledger.path)
    assert "incorta-dr ledger verify" in refused.value.fix


def test_a_damaged_line_that_is_changed_after_it_was_bound_is_found(ledger: LedgerFile) -> None:
    append(ledger, "a")
    ledger.path.write_bytes(ledger.path.read_bytes() + b"stray\n")
    append(ledger, "b")
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b"stray", b"stray!"))
    assert ledger.faults() == ["line 2: no ledger entry", "line 3: does not follow the line before it"]


def test_a_ledger_of_nothing_but_damage_begins_again(ledger: LedgerFile) -> None:
    ledger.path.parent.mkdir(parents=True)
    ledger.path.write_bytes(b"stray\n")
    assert append(ledger, "a").sequence == 2
    assert ledger.faults() == ["line 1: no ledger entry"]


def test_damage_further_up_is_told_and_does_not_stop_the_next_cutover(ledger: LedgerFile) -> None:
    for key in "abc":
        append(ledger, key)
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[0] + b"\xff damaged\n" + lines[2])
    assert append(ledger, "d").sequence == 4
    assert append(ledger, "c").sequence == 3
    assert ledger.faults() == [
        "line 2: no ledger entry",
        "line 3: does not follow the line before it",
        "line 3: has number 3, expected 2",
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.replace(b"\xef\xbf\xbd", b"\xff"),
        lambda content: content.replace(b"\n", b"\r\n", 1),
        lambda content: content.replace(b"\n", b"\n\n", 1),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b" \n", 1),
    ],
    ids=["bytes that are not UTF-8", "CRLF", "blank line", "byte order mark", "trailing blank"],
)
def test_bytes_that_only_look_alike_are_found(ledger: LedgerFile, spoil: Any) -> None:
    append(ledger, "a", "\ufffd")
    append(ledger, "b")
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(spoil(content))
    assert spoil(content) != content
    assert ledger.faults()


def test_any_changed_byte_is_found(ledger: LedgerFile) -> None:
    """But for the very last newline: a line without one was never acknowledged, which is a ledger cut at its end."""
    for key in "ab":
        append(ledger, key, "ü\ufffd")
    content = ledger.path.read_bytes()
    chance = random.Random(20261125)
    for at in range(len(content) - 1):
        for new in (chance.randrange(256), ord("\n"), content[at] ^ 0x20):
            if new != content[at]:
                ledger.path.write_bytes(content[:at] + bytes([new]) + content[at + 1 :])
                assert ledger.faults(), (at, new)
    ledger.path.write_bytes(content[:-1])
    assert ledger.faults() == []


def test_a_reader_beside_a_writer_sees_only_whole_lines(ledger: LedgerFile) -> None:
    append(ledger, "a")
    with ledger.path.open("ab") as file:
        file.write(b'{"half": ')
    assert keys(ledger) == ["a"]
    assert list(ledger.lines()) == [ledger.path.read_text(encoding="utf-8").split("\n")[0]]


def test_two_processes_that_append_at_once_make_one_chain(ledger: LedgerFile) -> None:
    writers, each = 4, 25
    gate = FORK.Event()

    def write(writer: int) -> None:
        gate.wait()
        for number in range(each):
            append(ledger, f"{writer}:{number}", "x" * 3000)
            append(ledger, f"shared:{number}")

    processes = [FORK.Process(target=write, args=(writer,)) for writer in range(writers)]
    for process in processes:
        process.start()
    gate.set()
    for process in processes:
        process.join(timeout=240)
    assert [process.exitcode for process in processes] == [0] * writers
    assert ledger.faults() == []
    found = keys(ledger)
    assert sorted(found) == sorted(
        [f"{writer}:{number}" for writer in range(writers) for number in range(each)]
        + [f"shared:{number}" for number in range(each)]
    )
    for writer in range(writers):
        own = [key for key in found if key.startswith(f"{writer}:")]
        assert own == [f"{writer}:{number}" for number in range(each)]


def test_kill_9_at_any_moment_loses_no_acknowledged_line(ledger: LedgerFile) -> None:
    acknowledged: list[int] = []
    chance = random.Random(9)
    for _ in range(25):
        acknowledged += _killed_writer(ledger, first=len(acknowledged), seconds=chance.uniform(0.0005, 0.02))
        assert ledger.faults() == []
        numbers = [int(key) for key in keys(ledger)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) in {len(acknowledged), len(acknowledged) + 1}  # the one line that was not told yet
        acknowledged = numbers
    assert len(acknowledged) > 25
    append(ledger, "the end")
    assert ledger.faults() == []


def _killed_writer(ledger: LedgerFile, *, first: int, seconds: float) -> list[int]:
    """Let a process append until it is killed, and return the numbers that were acknowledged to it."""
    reading, writing = os.pipe()
    process = FORK.Process(target=_write_for_ever, args=(ledger, first, writing))
    process.start()
    os.close(writing)
    told = _numbers(reading)
    found = [next(told)]
    time.sleep(seconds)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    found += told
    process.join()
    os.close(reading)
    assert process.exitcode == -signal.SIGKILL
    return found


def _write_for_ever(ledger: LedgerFile, first: int, writing: int) -> None:
    number = first
    while True:
        append(ledger, str(number), "x" * 20_000)
        os.write(writing, struct.pack("<q", number))
        number += 1


def _numbers(reading: int) -> Iterator[int]:
    while len(packed := os.read(reading, 8)) == 8:
        yield struct.unpack("<q", packed)[0]


def test_the_cost_of_a_line_does_not_grow_with_the_ledger(ledger: LedgerFile) -> None:
    """A hundred thousand lines, as after years: an append looks at the end only. The disk's own time does not count."""
    append(ledger, "a")
    line = ledger.path.read_bytes()
    ledger.path.write_bytes(line * 100_000)
    started = time.process_time()
    for number in range(10):
        append(ledger, f"new {number}")
    assert (time.process_time() - started) / 10 < 0.1, "to read all of them takes a second"
