"""A command that outlives its connection: run once, its real exit status learned."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services.remote_job import run_once
from incorta_provider.ssh.shell import Completed, NodeShell

pytestmark = pytest.mark.lab

UNTIL_TOLD = 'until [ -e "$1/go" ]; do sleep 0.05; done'


@pytest.fixture
def job(node, tmp_path):
    """Run a script as a job of a run; each start of it adds a line to the file ``starts``."""

    def run(script, key="run-1", timeout=20.0):
        with NodeShell(node()) as shell:
            argv = ["sh", "-c", f'echo $$ >>"$1/starts"; {script}', "sh", str(tmp_path)]
            return run_once(shell, str(tmp_path / "jobs" / "a job"), key, argv, timeout)

    return run


@pytest.fixture
def starts(tmp_path):
    return lambda: [int(pid) for pid in (tmp_path / "starts").read_text().split()]


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def in_background(call):
    thread = threading.Thread(target=call)
    thread.start()
    return thread


@pytest.mark.parametrize("status", [0, 1, 98, 127, 255])
def test_status_and_output_are_the_commands_own(job, status):
    done = job(f"echo out; echo out 2; echo err >&2; exit {status}")
    assert done == Completed(status, "out\nout 2\n", "err\n")


def test_a_result_is_taken_once(job, starts):
    assert [job("exit 3").status, job("exit 3").status] == [3, 3]
    assert len(starts()) == 2


def test_a_connection_that_drops_neither_ends_nor_doubles_it(job, starts, node, tmp_path):
    shell = NodeShell(node())
    argv = ["sh", "-c", f'echo $$ >>"$1/starts"; {UNTIL_TOLD}; echo done; exit 7', "sh", str(tmp_path)]

    def cut():
        wait_for(tmp_path / "starts")
        shell.__exit__(None, None, None)

    with shell:
        cutter = in_background(cut)
        with pytest.raises(TransientError, match="connection was lost"):
            run_once(shell, str(tmp_path / "jobs" / "a job"), "run-1", argv, 20.0)
        cutter.join()
    os.kill(starts()[0], 0)
    (tmp_path / "go").touch()
    assert job("echo another; exit 8") == Completed(7, "done\n", "")
    assert len(starts()) == 1


def left_behind(job, tmp_path):
    """Let a job end with status 5 after the one who asked for it lost patience."""
    with pytest.raises(TransientError, match="is still running"):
        job(f"{UNTIL_TOLD}; exit 5", timeout=1)
    (tmp_path / "go").touch()
    wait_for(tmp_path / "jobs" / "a job" / "status")


def test_a_result_that_nobody_took_is_kept_for_the_same_run(job, starts, tmp_path):
    left_behind(job, tmp_path)
    assert job("exit 6").status == 5
    assert len(starts()) == 1


def test_a_result_that_nobody_took_is_nothing_to_another_run(job, starts, tmp_path):
    left_behind(job, tmp_path)
    assert job("exit 0", key="run-2").status == 0
    assert len(starts()) == 2


def test_another_run_starts_it_only_after_the_first_ended(job, starts, tmp_path):
    first = in_background(lambda: job("sleep 1; echo first >>$1/ends", key="run-1"))
    wait_for(tmp_path / "starts")
    job("echo second >>$1/ends", key="run-2")
    first.join()
    assert (tmp_path / "ends").read_text() == "first\nsecond\n"
    assert len(starts()) == 2


def test_each_of_several_runs_that_wait_for_each_other_gets_its_own_result(job, starts, tmp_path):
    """The second waits for its own end behind the third, which is there already."""
    done = {}

    def ask(number):
        script = UNTIL_TOLD if number == 3 else "sleep 0.5"
        done[number] = job(f"{script}; echo of {number}; exit {number}", key=f"run-{number}", timeout=60)

    first = in_background(lambda: ask(3))
    wait_for(tmp_path / "starts")
    others = [in_background(lambda number=number: ask(number)) for number in (4, 5, 6)]
    wait_until_waiting(tmp_path / "jobs" / "a job" / "lock", 3)
    (tmp_path / "go").touch()
    for thread in (first, *others):
        thread.join()
    assert done == {number: Completed(number, f"of {number}\n", "") for number in (3, 4, 5, 6)}
    assert len(starts()) == 4


def wait_until_waiting(path, count):
    """Wait until so many wait for the lock of a file (proc_locks(5))."""
    inode, deadline = path.stat().st_ino, time.monotonic() + 60
    while sum(f":{inode} " in line for line in waiting_locks()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def waiting_locks():
    return [line for line in Path("/proc/locks").read_text().splitlines() if " -> " in line]


def test_a_job_that_was_killed_has_no_result_and_may_start_again(job, starts, tmp_path):
    def kill():
        wait_for(tmp_path / "starts")
        os.killpg(os.getpgid(starts()[0]), signal.SIGKILL)

    killer = in_background(kill)
    with pytest.raises(TransientError, match="was killed before it ended"):
        job("sleep 20")
    killer.join()
    assert job("exit 4").status == 4


def test_a_service_that_the_job_leaves_behind_keeps_nobody_waiting(job):
    done = job("setsid sleep 60 & echo $!")
    again = job("echo again")
    os.kill(int(done.stdout), signal.SIGKILL)  # it runs: nobody waited for its end
    assert again.stdout == "again\n"


def test_a_service_that_was_left_behind_writes_nothing_into_a_later_result(job, tmp_path):
    told, said = tmp_path / "told", tmp_path / "said"
    job(f"setsid sh -c 'until [ -e {told} ]; do sleep 0.05; done; echo late; touch {said}' & echo started")
    again = job(f"echo again; touch {told}; until [ -e {said} ]; do sleep 0.05; done", key="run-2")
    assert again.stdout == "again\n"


def test_files_of_the_job_get_the_accounts_own_mode(job, tmp_path):
    job('umask >"$1/umask"')
    assert (tmp_path / "umask").read_text() != "0077\n"
    assert (tmp_path / "jobs" / "a job").stat().st_mode & 0o777 == 0o700


def test_words_reach_the_command_as_they_are(node, tmp_path):
    words = ["", "a b", "$HOME", "'", '"', "\\", "*", "\n", ";", "ä"]
    with NodeShell(node()) as shell:
        done = run_once(shell, str(tmp_path / "it's $HOME"), "a 'key'", ["printf", "%s\\0", *words], 20.0)
    assert done.stdout.split("\0")[:-1] == words


def test_a_folder_that_cannot_be_made_is_named(node):
    with NodeShell(node()) as shell, pytest.raises(ConfigurationError, match="cannot run true as a job") as caught:
        run_once(shell, "/dev/null/jobs", "run-1", ["true"], 5.0)
    assert "/dev/null/jobs" in caught.value.where
