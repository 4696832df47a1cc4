"""The journal of an apply: whole or not there, and read back byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.apply.redo_journal import Header, RedoJournal, Step, Verb
from tests.builders.storage import HOSTILE_NAMES

HEADER = Header("A", "B", "A.1")


@pytest.fixture
def journal(tmp_path: Path) -> RedoJournal:
    return RedoJournal(tmp_path / "apply.jsonl")


def test_what_is_written_is_read(journal: RedoJournal) -> None:
    steps = [Step(Verb.PLACE, name, b"points/B/files/" + name, 0o644, -5, True) for name in HOSTILE_NAMES]
    steps += [Step(Verb.REMOVE, b"a"), Step(Verb.LINK, b"b", b"../\xff")]
    journal.write(HEADER, steps)
    assert journal.header() == HEADER
    assert list(journal.steps()) == steps


def test_the_first_apply_has_no_base(journal: RedoJournal) -> None:
    journal.write(Header(None, "A", "unmanaged"), [])
    assert journal.header() == Header(None, "A", "unmanaged")
    assert list(journal.steps()) == []


def test_none_is_under_way(journal: RedoJournal) -> None:
    assert journal.header() is None
    journal.remove()
    journal.write(HEADER, [])
    journal.remove()
    assert journal.header() is None


def test_a_plan_that_fails_leaves_no_journal(journal: RedoJournal) -> None:
    def steps() -> Iterator[Step]:
        yield Step(Verb.REMOVE, b"a")
        raise IntegrityError("missing")

    with pytest.raises(IntegrityError):
        journal.write(HEADER, steps())
    assert journal.header() is None


def test_a_damaged_journal_is_named(journal: RedoJournal) -> None:
    journal.write(HEADER, [Step(Verb.REMOVE, b"a")])
    journal.path.write_bytes(journal.path.read_bytes()[:-5])
    with pytest.raises(IntegrityError, match="journal of an apply is damaged") as caught:
        list(journal.steps())
    assert caught.value.where == str(journal.path)
