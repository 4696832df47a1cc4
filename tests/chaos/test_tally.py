from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.chaos.tally import Tallies


def test_a_point_whose_assertions_fail_is_lost() -> None:
    tally = Tallies().of("storage")
    with tally.point("seal", "before rename"):
        pass
    with pytest.raises(AssertionError), tally.point("seal", "after rename"):
        raise AssertionError
    with tally.point("apply", "before unlink"):
        pass
    assert asdict(tally) == {
        "points": 3,
        "lost": 1,
        "scenarios": {
            "seal": {"points": 2, "lost": 1, "tried": ["before rename", "after rename: lost"]},
            "apply": {"points": 1, "lost": 0, "tried": ["before unlink"]},
        },
    }


def test_what_other_runs_counted_stays(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    path.write_text(json.dumps({"failover": {"points": 7, "lost": 0}, "storage": {"points": 1, "lost": 1}}))
    tallies = Tallies()
    with tallies.of("storage").point("seal", "before rename"):
        pass
    tallies.save(path)
    seal = {"points": 1, "lost": 0, "tried": ["before rename"]}
    storage = {"points": 1, "lost": 0, "scenarios": {"seal": seal}}
    expected = {"failover": {"points": 7, "lost": 0}, "storage": storage}
    assert json.loads(path.read_text()) == expected


def test_a_run_that_counted_nothing_writes_nothing(tmp_path: Path) -> None:
    Tallies().save(tmp_path / "chaos.json")
    assert not (tmp_path / "chaos.json").exists()
