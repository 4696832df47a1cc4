"""Whatever is done to the lines of a ledger shows, but for lines cut off its end."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from incorta_provider.dr.ledger import GENESIS, LedgerEntry, chained, digest_of, faults, parse_line

AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


def follow(last: LedgerEntry | None, **changed: Any) -> LedgerEntry:
    fields: dict[str, Any] = {
        "at": AT,
        "event": "point.sealed",
        "key": "run1:sealed",
        "group": "acme",
        "run_id": "run1",
        "actor": "ada",
        "details": {"files": 3},
    }
    return chained(last, **(fields | changed))


def chain(*details: Any, group: str = "acme") -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    for number, detail in enumerate(details):
        last = entries[-1] if entries else None
        entries.append(follow(last, key=f"run1:{number}", group=group, details={"detail": detail}))
    return entries


def lines_of(entries: list[LedgerEntry]) -> list[str]:
    return [entry.to_line() for entry in entries]


def test_the_first_line_follows_the_genesis() -> None:
    first = follow(None)
    assert (first.sequence, first.previous) == (1, GENESIS)
    assert first.digest == digest_of(json.loads(first.to_line()))


def test_each_line_names_the_digest_of_the_one_before() -> None:
    one, two, three = chain("a", "b", "c")
    assert [one.sequence, two.sequence, three.sequence] == [1, 2, 3]
    assert (two.previous, three.previous) == (one.digest, two.digest)
    assert faults(lines_of([one, two, three])) == []


def test_a_line_reads_as_what_was_written() -> None:
    entry = follow(None, details={"bytes": 1, "name": "ü\u2028\n", "list": [1, None, True, 0.1]})
    line = entry.to_line()
    assert "\n" not in line
    assert '"ü\u2028\\n"' in line
    assert parse_line(line) == entry
    assert json.loads(line) == {
        "sequence": 1,
        "at": "2026-11-25T03:00:00Z",
        "event": "point.sealed",
        "key": "run1:sealed",
        "group": "acme",
        "run_id": "run1",
        "actor": "ada",
        "details": {"bytes": 1, "name": "ü\u2028\n", "list": [1, None, True, 0.1]},
        "previous": GENESIS,
        "digest": entry.digest,
    }


def test_the_digest_leaves_itself_out_and_nothing_else() -> None:
    fields = json.loads(follow(None).to_line())
    assert digest_of(fields) == digest_of(fields | {"digest": "x"})
    for name in set(fields) - {"digest"}:
        assert digest_of(fields | {name: "x"}) != digest_of(fields)


def test_an_empty_ledger_is_whole() -> None:
    assert faults([]) == []


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "caf\\xe9"),
        ("caf\udce9", "caf\\udce9"),
        ({"caf\udce9": b"\xff"}, {"caf\\udce9": "\\xff"}),
        (("a", b"b"), ["a", "b"]),
        ({1: 2}, {"1": 2}),
        (AT, "2026-11-25T03:00:00Z"),
        (math.nan, None),
        (math.inf, None),
        (10**400, 10**400),
    ],
)
def test_a_strange_detail_is_written_in_some_form_and_the_chain_stays_whole(written: Any, stored: Any) -> None:
    entry = follow(None, details={"detail": written})
    assert json.loads(entry.to_line())["details"] == {"detail": stored}
    assert faults([entry.to_line(), follow(parse_line(entry.to_line())).to_line()]) == []


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValidationError):
        follow(None, at=datetime(2026, 1, 1))


@pytest.mark.parametrize("line", ["", "{}", "[]", "null", "no json", '{"sequence": 1}', "\udcff"])
def test_a_line_that_is_no_entry_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_line(line)
    assert faults([line]) == ["line 1: no ledger entry"]


@pytest.mark.parametrize("name", ["at", "event", "key", "group", "run_id", "actor", "details"])
def test_a_changed_field_is_found_and_the_rest_is_not_blamed(name: str) -> None:
    one, two, three = chain("a", "b", "c")
    other: Any = {"at": AT + timedelta(seconds=1), "details": {"detail": "z"}}.get(name, "other")
    spoiled = two.model_copy(update={name: other})
    assert faults(lines_of([one, spoiled, three])) == ["line 2: changed after it was written"]


def test_a_changed_number_is_found() -> None:
    one, two, three = chain("a", "b", "c")
    assert faults(lines_of([one, two.model_copy(update={"sequence": 5}), three])) == [
        "line 2: changed after it was written",
        "line 2: has number 5, expected 2",
        "line 3: has number 3, expected 6",
    ]


def test_a_line_that_was_signed_anew_breaks_the_chain_behind_it() -> None:
    one, two, three = chain("a", "b", "c")
    forged = follow(one, key=two.key, details={"detail": "forged"})
    assert faults(lines_of([one, forged, three])) == ["line 3: does not follow the line before it"]


def test_a_removed_line_is_found() -> None:
    one, two, three = chain("a", "b", "c")
    found = ["line 2: does not follow the line before it", "line 2: has number 3, expected 2"]
    assert faults(lines_of([one, three])) == found
    assert faults(lines_of([two, three])) == [
        "line 1: does not follow the line before it",
        "line 1: has number 2, expected 1",
    ]


def test_lines_cut_off_the_end_are_not_found_by_the_chain_alone() -> None:
    """Stated, not hidden: only a copy, or a recovery point that names the line, shows it."""
    lines = lines_of(chain("a", "b", "c"))
    assert [faults(lines[:count]) for count in range(4)] == [[], [], [], []]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: " " + line,
        lambda line: line + " ",
        lambda line: line + "\r",
        lambda line: line.replace('": ', '":', 1),
        lambda line: line.replace("{", '{"event": "forged", ', 1),
        lambda line: line.replace('"ada"', '"\\u0061da"'),
        lambda line: json.dumps(dict(reversed(json.loads(line).items()))),
    ],
    ids=["indented", "blank at the end", "CRLF", "spacing", "key twice", "escape", "order"],
)
def test_another_spelling_of_the_same_fields_is_found(spoil: Any) -> None:
    one, two = lines_of(chain("a", "b"))
    assert spoil(two) != two
    assert faults([one, spoil(two)]) == ["line 2: changed after it was written"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
histories = st.lists(json_values, min_size=1, max_size=5).map(lambda details: lines_of(chain(*details)))


@given(
    event=st.text(),
    actor=st.text(),
    details=st.dictionaries(st.text(), json_values, max_size=4),
    at=st.datetimes(timezones=zones, min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),
)
def test_whatever_is_recorded_is_whole_when_read_back(
    event: str, actor: str, details: dict[str, Any], at: datetime
) -> None:
    line = follow(None, event=event, actor=actor, details=details, at=at).to_line()
    assert faults([line.encode().decode()]) == []
    assert parse_line(line).at == at


@given(lines=histories, data=st.data())
def test_any_changed_character_is_found(lines: list[str], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[number]) - 1))
    new = data.draw(st.one_of(st.just(""), st.characters(), st.sampled_from('0 "}\\u')))
    spoiled = lines[number][:at] + new + lines[number][at + 1 :]
    assume(spoiled != lines[number])
    assert faults([*lines[:number], spoiled, *lines[number + 1 :]])


@given(lines=histories, data=st.data())
def test_a_removed_a_doubled_and_a_moved_line_are_found(lines: list[str], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines)))
    assert faults([*lines[:place], lines[number], *lines[place:]])
    if number < len(lines) - 1:
        assert faults([*lines[:number], *lines[number + 1 :]])
    order = data.draw(st.permutations(range(len(lines))))
    assert bool(faults([lines[at] for at in order])) == (order != sorted(order))


@given(lines=histories, other=st.lists(json_values, min_size=1, max_size=5), data=st.data())
def test_a_line_of_another_ledger_is_found(lines: list[str], other: list[Any], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(lines)))
    taken = data.draw(st.sampled_from(lines_of(chain(*other, group="globex"))))
    assert faults([*lines[:place], taken, *lines[place:]])
