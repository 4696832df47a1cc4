"""Who looks at processes takes nothing from those who wait for them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import processes
from lab.processes import all_processes, find, reap_once_ended

EXIT_CALL = {"x86_64": 60, "aarch64": 93}
"""The number of the system call that ends one thread."""

FIRST_THREAD_ENDS = """
import ctypes, sys, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
ctypes.CDLL(None).syscall(int(sys.argv[1]), 0)
"""


def wait_for_zombie(pid: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("status", [3, -9])
def test_the_status_of_a_child_is_left_to_who_waits_for_it(status: int) -> None:
    """What was taken for 0 may be a copy that failed."""
    end = f"exit {status}" if status > 0 else f"kill {status} $$"
    with subprocess.Popen(["sh", "-c", end]) as child:
        wait_for_zombie(child.pid)
        assert find(child.pid) is None
        assert child.pid not in all_processes()
        assert child.wait() == status


def test_a_launched_child_is_reaped_and_then_forgotten() -> None:
    """Its id is used again, and the next child that has it may be one that somebody waits for."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 0"], {})
    reap_once_ended(pid)
    wait_for_zombie(pid)
    assert find(pid) is None
    assert not Path(f"/proc/{pid}").exists()
    assert pid not in processes._launched


def test_a_process_lives_as_long_as_its_last_thread() -> None:
    argv = [sys.executable, "-c", FIRST_THREAD_ENDS, str(EXIT_CALL[platform.machine()])]
    with subprocess.Popen(argv) as child:
        try:
            wait_for_zombie(child.pid)
            assert find(child.pid) is not None
        finally:
            child.kill()
        wait_for_zombie(child.pid)
        while find(child.pid):
            time.sleep(0.01)
        assert child.wait() == -9
