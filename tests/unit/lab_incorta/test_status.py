"""How a process is, and that there is only one of its name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError
from lab.incorta.home import Home
from lab.incorta.status import State, claim, read_status, write_status


def test_a_process_that_never_started_is_stopped(tmp_path: Path) -> None:
    assert read_status(Home(tmp_path), "agent").state is State.STOPPED


def test_this_process_is_alive_under_what_it_says(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_status(home, "agent", State.STARTED)
    found = read_status(home, "agent")
    assert (found.state, found.alive) == (State.STARTED, True)


@pytest.mark.parametrize("state", [State.STARTING, State.STARTED])
def test_a_process_that_ended_without_a_word_has_failed(tmp_path: Path, state: State) -> None:
    home = Home(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write_status(home, "agent", state, pid=child.pid)
    assert read_status(home, "agent").state is state
    child.communicate(b"\n")
    assert read_status(home, "agent").state is State.FAILED


def test_an_id_that_another_process_got_fools_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_status(home, "agent", State.STARTED)
    fields = json.loads(home.status_file("agent").read_text())
    home.status_file("agent").write_text(json.dumps({**fields, "ticks": fields["ticks"] - 1}))
    assert read_status(home, "agent").state is State.FAILED


def test_a_reason_is_kept(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_status(home, "loaderService", State.FAILED, "file ü is missing")
    assert read_status(home, "loaderService").reason == "file ü is missing"


def test_a_name_is_claimed_once_and_free_again_afterwards(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = claim(home, "agent")
    assert first is not None
    assert claim(home, "agent") is None
    other = claim(home, "cmc")
    assert other is not None
    other.close()
    first.close()
    again = claim(home, "agent")
    assert again is not None
    again.close()


def test_a_service_that_is_not_in_the_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no service 'loaderService'"):
        Home(tmp_path).service_folder("loaderService")
