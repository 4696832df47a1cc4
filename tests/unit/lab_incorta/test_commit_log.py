"""The workload's log keeps every commit, whatever a kill did to its last line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.workload.commit_log import CommitLog, CommitRecord, Phase

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def record(counter: int) -> CommitRecord:
    return CommitRecord(counter, AT, "berlin", ("NYC_FLIGHTS.FLIGHTS", "Ü.ü"))


def test_commits_come_back_as_they_were_and_an_absent_log_has_none(tmp_path: Path) -> None:
    log = CommitLog(tmp_path / "workload")
    assert log.commits() == []
    for counter in (1, 2):
        log.append(record(counter))
    assert log.commits() == [record(1), record(2)]


@given(cut=st.integers(0, 130))
def test_a_line_that_was_cut_off_is_no_commit_and_harms_no_later_one(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    log = CommitLog(tmp_path_factory.mktemp("log"))
    log.append(record(1))
    whole = log.commits_file.read_bytes()
    log.append(record(2))
    added = len(log.commits_file.read_bytes()) - len(whole)
    kept = log.commits_file.read_bytes()[: len(whole) + min(cut, added)]
    log.commits_file.write_bytes(kept)
    log.append(record(3))
    counters = [found.counter for found in log.commits()]
    assert counters in ([1, 3], [1, 2, 3])
    assert (2 in counters) == (cut >= added - 1)


def test_the_state_says_what_is_going_on(tmp_path: Path) -> None:
    log = CommitLog(tmp_path)
    log.say(Phase.LOAD, counter=4, site="berlin", at=AT, detail="A, B")
    state = json.loads(log.state_file.read_text())
    assert {key: state[key] for key in ("phase", "counter", "site", "at", "detail")} == {
        "phase": "load",
        "counter": 4,
        "site": "berlin",
        "at": AT.isoformat(),
        "detail": "A, B",
    }
