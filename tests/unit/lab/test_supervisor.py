"""The supervisor finds and ends what it started, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, TransientError
from lab.launch import launching
from lab.layout import Lab
from lab.processes import environment, family, find, is_alive
from lab.supervisor import SITE_MARKER, Supervisor, marked_environment, markers

SLEEP = ["sleep", "60"]
CLEARS_ITS_ENVIRONMENT = ["env", "-i", "sleep", "60"]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path, 10000)
    yield lab
    Supervisor(lab).kill_all()


@pytest.fixture
def supervisor(lab: Lab) -> Supervisor:
    return Supervisor(lab)


def test_a_record_names_the_very_process(supervisor: Supervisor, tmp_path: Path) -> None:
    record = supervisor.start("one", SLEEP, log=tmp_path / "log", site="berlin")
    process = find(record.pid)
    assert process is not None
    assert (record.name, record.site, record.ticks) == ("one", "berlin", process.ticks)
    assert supervisor.records() == [record]
    assert supervisor.records("newyork") == []
    assert environment(process)[SITE_MARKER] == str(tmp_path / "berlin")


def test_a_second_start_returns_the_one_that_runs(supervisor: Supervisor, tmp_path: Path) -> None:
    first = supervisor.start("one", SLEEP, log=tmp_path / "log")
    assert supervisor.start("one", SLEEP, log=tmp_path / "log") == first


def test_output_goes_to_the_log_and_the_folder_is_the_one_asked_for(supervisor: Supervisor, tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()
    shell = ["sh", "-c", 'pwd; echo "$WORD"; echo bad >&2; exec sleep 60']
    supervisor.start("one", shell, log=tmp_path / "log", env={"WORD": "two words"}, cwd=tmp_path / "a folder")
    wait_for(lambda: "bad" in (tmp_path / "log").read_text())
    assert (tmp_path / "log").read_text().splitlines() == [str(tmp_path / "a folder"), "two words", "bad"]
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_program_that_is_not_here_is_named(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no program no-such-program"):
        supervisor.start("one", ["no-such-program"], log=tmp_path / "log")


def test_a_later_process_with_the_same_id_is_not_ours(supervisor: Supervisor, lab: Lab) -> None:
    """The record of a process that ended must never lead to a stranger with its id."""
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        lab.run.mkdir(exist_ok=True)
        record = f'{{"name": "old", "site": "berlin", "log": "", "pid": {stranger.pid}, "ticks": 1}}'
        (lab.run / "old.json").write_text(record)
        assert not supervisor.alive("old")
        supervisor.stop("old")
        supervisor.kill_all("berlin")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_stop_lets_a_process_end_by_itself(supervisor: Supervisor, tmp_path: Path) -> None:
    shell = ["sh", "-c", 'trap "echo goodbye; exit" TERM; echo ready; while :; do sleep 0.05; done']
    supervisor.start("one", shell, log=tmp_path / "log")
    wait_for(lambda: "ready" in (tmp_path / "log").read_text())
    supervisor.stop("one")
    assert "goodbye" in (tmp_path / "log").read_text()
    assert supervisor.get("one") is None


def test_stop_kills_what_does_not_listen_with_its_children(supervisor: Supervisor, lab: Lab, tmp_path: Path) -> None:
    shell = ["sh", "-c", 'trap "" TERM; sleep 61 & echo ready; while :; do sleep 0.05; done']
    record = supervisor.start("one", shell, log=tmp_path / "log")
    wait_for(lambda: "ready" in (tmp_path / "log").read_text())
    supervisor.stop("one", seconds=0.2)
    assert not is_alive(record.process)
    assert family(markers(lab)) == []


def test_kill_all_of_a_site_leaves_the_other_alone(supervisor: Supervisor, lab: Lab, tmp_path: Path) -> None:
    supervisor.start("here", SLEEP, log=tmp_path / "log", site="berlin")
    there = supervisor.start("there", SLEEP, log=tmp_path / "log", site="newyork")
    assert supervisor.kill_all("berlin") == 1
    assert family(markers(lab, "berlin")) == []
    assert is_alive(there.process)


def test_kill_all_finds_what_a_script_sent_to_the_background(supervisor: Supervisor, lab: Lab, tmp_path: Path) -> None:
    """A daemon has another session and init as its parent; only the marker is left."""
    script = "setsid sleep 62 & echo started; sleep 0.2"
    supervisor.start("script", ["sh", "-c", script], log=tmp_path / "log", site="berlin")
    wait_for(lambda: not supervisor.alive("script"))
    assert len(family(markers(lab, "berlin"))) == 1
    assert supervisor.kill_all("berlin") == 1
    assert family(markers(lab, "berlin")) == []


def test_kill_all_finds_a_server_without_markers_and_its_children(
    supervisor: Supervisor, lab: Lab, tmp_path: Path
) -> None:
    """Like sshd, which writes its title over its environment: the record and the descent are left."""
    shell = ["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", "sleep 63 & echo started; wait"]
    record = supervisor.start("bare", shell, log=tmp_path / "log", site="berlin")
    wait_for(lambda: "started" in (tmp_path / "log").read_text())
    assert environment(record.process).keys() == {"PATH"}
    members = family(markers(lab, "berlin"), [record.process])
    assert len(members) == 2
    assert supervisor.kill_all("berlin") == 2
    assert not [process for process in members if is_alive(process)]


def test_kill_all_ends_what_is_halted(supervisor: Supervisor, tmp_path: Path) -> None:
    record = supervisor.start("one", SLEEP, log=tmp_path / "log", site="berlin")
    os.kill(record.pid, signal.SIGSTOP)
    assert supervisor.kill_all("berlin") == 1
    assert not is_alive(record.process)


def test_a_start_that_was_halted_half_way_does_not_keep_kill_all_waiting(supervisor: Supervisor, lab: Lab) -> None:
    """The shell that becomes the server was stopped while it held the lock: nobody else may hang for that."""
    with launching(lab.run) as lock:
        shell = ["sh", "-c", "kill -STOP $$"]
        env = marked_environment(lab, "berlin", "one")
        halted = subprocess.Popen(shell, env=env, pass_fds=[lock], start_new_session=True)
    wait_for(lambda: process_state(halted.pid) == "T")
    with pytest.raises(TransientError, match="does not come to its end"), launching(lab.run, seconds=0.1):
        pass
    began = time.monotonic()
    assert supervisor.kill_all("berlin") == 1
    assert time.monotonic() - began < 60, "a start is waited for 90 s"
    halted.wait(timeout=60)
    assert find(halted.pid) is None


def test_what_the_lab_starts_keeps_what_it_compiled(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PATH", "/usr/bin")
    env = marked_environment(lab, "berlin", "one")
    assert (env["PATH"], env.get("PYTHONDONTWRITEBYTECODE")) == ("/usr/bin", None)


def process_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def test_stop_all_counts_and_ends_everything(supervisor: Supervisor, lab: Lab, tmp_path: Path) -> None:
    halted = supervisor.start("one", SLEEP, log=tmp_path / "log", site="berlin")
    supervisor.start("two", SLEEP, log=tmp_path / "log")
    os.kill(halted.pid, signal.SIGSTOP)
    assert supervisor.stop_all() == 2
    assert family(markers(lab)) == []
    assert list(lab.run.glob("*.json")) == []


def test_a_process_outside_every_site_does_not_inherit_one(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SITE_MARKER, "/elsewhere/berlin")
    record = supervisor.start("one", SLEEP, log=tmp_path / "log")
    assert SITE_MARKER not in environment(record.process)


def test_no_server_is_lost_when_the_supervisor_is_killed_at_any_moment(lab: Lab, tmp_path: Path) -> None:
    """The next start under the same name either finds the server or ends it: there is never a second one."""
    starter = (
        "from pathlib import Path; from lab.layout import Lab; from lab.supervisor import Supervisor\n"
        f"root = Path({str(tmp_path)!r}); print('go', flush=True)\n"
        f"Supervisor(Lab(root, 10000)).start('one', {CLEARS_ITS_ENVIRONMENT!r}, log=root / 'log')\n"
    )
    checkout = Path(__file__).parents[3]
    supervisor = Supervisor(lab)
    for step in range(12):
        child = subprocess.Popen([sys.executable, "-c", starter], cwd=checkout, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(step * 0.0005)
        child.kill()
        child.wait()
        record = supervisor.start("one", CLEARS_ITS_ENVIRONMENT, log=tmp_path / "log")
        assert is_alive(record.process)
        assert sleepers(lab) <= 1
        supervisor.kill("one")
        assert sleepers(lab) == 0


def sleepers(lab: Lab) -> int:
    """Count the processes that stand in the lab's folder: the servers of this test, markers or not."""
    found = 0
    for entry in Path("/proc").iterdir():
        try:
            found += entry.name.isdigit() and (entry / "cwd").readlink() == lab.root
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
