"""The index of staged files: lines that survive a crash, merged as streams."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.staged_index import from_text, newest, to_line, to_text
from tests.builders.storage import HOSTILE_NAMES, file

PATHS = st.binary(min_size=1, max_size=8).filter(lambda path: b"\0" not in path)


def index(path: Path, entries: list[Entry], tail: bytes = b"") -> Path:
    path.write_bytes(b"".join(map(to_line, entries)) + tail)
    return path


@given(PATHS)
def test_any_path_is_text_and_back(path: bytes) -> None:
    assert from_text(to_text(path)) == path
    assert from_text(json.loads(json.dumps(to_text(path)))) == path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=st.sets(PATHS))
def test_lines_are_read_as_they_were_written(tmp_path: Path, paths: set[bytes]) -> None:
    entries = [file(path, path) for path in sorted(paths | set(HOSTILE_NAMES))]
    assert list(newest([index(tmp_path / "i", entries)])) == entries


def test_each_line_is_plain_json() -> None:
    line = to_line(file(b'quote" and\nline', b"1"))
    assert line.count(b"\n") == 1
    assert json.loads(line)[0] == 'quote" and\nline'


@pytest.mark.parametrize(
    "tail", [b'["c",1', b'["c",1,1,420,"00', b"\0\0\0\0", b"\xff\n", b'{"c":1}\n', b'["c",1]\n', b"1\n", b'"c"\n']
)
def test_reading_ends_at_the_first_line_that_is_not_whole(tmp_path: Path, tail: bytes) -> None:
    entries = [file(b"a"), file(b"b")]
    assert list(newest([index(tmp_path / "i", entries, tail)])) == entries
    assert list(newest([index(tmp_path / "i", entries, tail + b"\n" + to_line(file(b"d")))])) == entries


@pytest.mark.parametrize("lost", range(1, 90))
def test_wherever_the_last_line_was_cut_it_counts_whole_or_not_at_all(tmp_path: Path, lost: int) -> None:
    path = index(tmp_path / "i", [file(b"a"), file(b"b")])
    path.write_bytes(path.read_bytes()[:-lost])
    assert list(newest([path])) in ([file(b"a"), file(b"b")], [file(b"a")])


def test_of_several_passes_the_newest_line_of_a_path_counts(tmp_path: Path) -> None:
    one = index(tmp_path / "1", [file(b"a", b"1"), file(b"b", b"1"), file(b"d", b"1")])
    two = index(tmp_path / "2", [file(b"b", b"2"), file(b"c", b"2")])
    three = index(tmp_path / "3", [file(b"b", b"3")])
    expected = [file(b"a", b"1"), file(b"b", b"3"), file(b"c", b"2"), file(b"d", b"1")]
    assert list(newest([one, two, three])) == expected
    assert list(newest([])) == []
