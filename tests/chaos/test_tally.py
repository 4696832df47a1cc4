from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chaos.tally import Tallies


def test_a_point_whose_assertions_fail_is_lost() -> None:
    tally = Tallies().of("storage")
    with tally.point():
        pass
    with pytest.raises(AssertionError), tally.point():
        raise AssertionError
    assert (tally.points, tally.lost) == (2, 1)


def test_what_other_runs_counted_stays(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    path.write_text(json.dumps({"failover": {"points": 7, "lost": 0}, "storage": {"points": 1, "lost": 1}}))
    tallies = Tallies()
    with tallies.of("storage").point():
        pass
    tallies.save(path)
    expected = {"failover": {"points": 7, "lost": 0}, "storage": {"points": 1, "lost": 0}}
    assert json.loads(path.read_text()) == expected


def test_a_run_that_counted_nothing_writes_nothing(tmp_path: Path) -> None:
    Tallies().save(tmp_path / "chaos.json")
    assert not (tmp_path / "chaos.json").exists()
