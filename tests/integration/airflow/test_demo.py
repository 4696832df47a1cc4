"""The demo as a person runs it: once killed half-way, once to its end, then taken down."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.airflow.processes import api_server
from lab.airflow.settings import Settings
from lab.layout import Lab
from lab.processes import family, is_alive
from lab.supervisor import Supervisor, markers
from lab.testbed import borrowed
from tests.builders.lab_state import STATE

pytestmark = [pytest.mark.lab, pytest.mark.airflow, pytest.mark.scenario, pytest.mark.timeout(900)]

COMMAND = [sys.executable, "-m", "lab.demo"]


@pytest.fixture(scope="module")
def demo_lab() -> Iterator[Lab]:
    """Lend ports and a folder that no other lab uses."""
    with borrowed(STATE) as lab:
        yield lab


def up(lab: Lab) -> list[str]:
    return ["up", "--root", str(lab.root), "--base", str(lab.base)]


@contextmanager
def killed_when(words: str, lab: Lab) -> Iterator[None]:
    """Run a demo until it says these words, then the block, then kill the demo."""
    with subprocess.Popen([*COMMAND, *up(lab)], stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            assert any(words in line for line in demo.stdout), "it ended before"
            yield
        finally:
            demo.kill()


@pytest.fixture(scope="module")
def finished(demo_lab: Lab) -> tuple[str, dict[str, Any]]:
    """Kill a first demo while Airflow's database is made, run a second one there; return its output and summary."""
    with killed_when("making Airflow's database", demo_lab):
        pass
    done = subprocess.run([*COMMAND, *up(demo_lab)], capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    return done.stdout, json.loads((demo_lab.root / "summary.json").read_text(encoding="utf-8"))


def test_the_promoted_site_has_all_up_to_some_commit_and_none_half(finished: tuple[str, dict[str, Any]]) -> None:
    _, summary = finished
    assert summary["compared_equal"] is True
    assert summary["ledger_ok"] is True
    assert summary["commits_half"] == 0
    assert 0 < summary["commits_restored"] <= summary["commits_primary"] + 1
    assert summary["commits_lost"] == max(0, summary["commits_primary"] - summary["commits_restored"])
    assert summary["problems"] == []


def test_the_summary_says_what_was_lost_and_how_long_it_took(finished: tuple[str, dict[str, Any]]) -> None:
    _, summary = finished
    assert summary["unfenced"] is True, "the primary was killed, so nobody could fence it"
    assert 0 < summary["rpo_seconds"] < 300
    assert 0 < summary["rto_seconds"] < 300
    names = [step["name"] for step in summary["steps"]]
    assert names[0] == "fence"
    assert names[-2:] == ["verify_service", "promote"]
    assert summary["rto_seconds"] <= summary["steps"][-1]["done_after_seconds"]
    for name in ("files", "bytes", "tables", "rows"):
        assert summary[name] > 0
    assert (summary["requested_by"], summary["approved_by"]) == ("operator", "approver")


def test_a_drill_proved_a_point_and_forecast_the_rto_before_it_was_needed(
    finished: tuple[str, dict[str, Any]],
) -> None:
    output, summary = finished
    assert summary["drill"]["outcome"] == "proven"
    assert summary["rto_forecast_seconds"] > 0
    assert f"{summary['drill']['recovery_point']} is proven" in output


def test_the_watcher_fenced_the_old_primary_when_it_came_back(finished: tuple[str, dict[str, Any]]) -> None:
    _, summary = finished
    services = {f"services of berlin_node{number}" for number in (1, 2)}
    assert set(summary["fenced_on_return"]) == {"epoch registry", "database", *services}


def test_it_tells_what_it_does_and_no_password(finished: tuple[str, dict[str, Any]], demo_lab: Lab) -> None:
    output, summary = finished
    for words in (
        "process(es) killed",
        "approver approved",
        f"recovery point {summary['recovery_point']}: ",
        "Airflow's UI: http://127.0.0.1",
    ):
        assert output.count(words) == 1
    passwords = json.loads((demo_lab.root / "airflow" / "passwords.json").read_text(encoding="utf-8"))
    assert not any(password in output for password in passwords.values())


def test_taken_down_it_leaves_no_process_and_keeps_the_summary(
    finished: tuple[str, dict[str, Any]], demo_lab: Lab
) -> None:
    assert family(markers(demo_lab)), "the UI is left up"
    subprocess.run([*COMMAND, "down", "--root", str(demo_lab.root)], check=True, capture_output=True, timeout=120)
    assert family(markers(demo_lab)) == []
    assert json.loads((demo_lab.root / "summary.json").read_text(encoding="utf-8")) == finished[1]


@pytest.mark.chaos
def test_one_that_was_killed_while_the_api_server_started_is_in_nobodys_way(demo_lab: Lab) -> None:
    """The next one ends the server that nobody waits for, and gets beyond Airflow."""
    name = api_server(Settings(demo_lab)).name
    with killed_when("starting the API server", demo_lab):
        deadline = time.monotonic() + 60
        while (left := Supervisor(demo_lab).get(name)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert is_alive(left.process)
    with killed_when("Load jobs at berlin, replicated to newyork", demo_lab):
        assert not is_alive(left.process)
    subprocess.run([*COMMAND, "down", "--root", str(demo_lab.root)], check=True, capture_output=True, timeout=120)
    assert family(markers(demo_lab)) == []
