"""Two test runs never share a state folder or a port, and a run that was cut off is cleaned up by the next."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from incorta_provider.exceptions import PreconditionError
from lab.layout import SPAN, Lab
from lab.processes import family, is_alive
from lab.supervisor import Supervisor, markers
from lab.testbed import borrowed

_FIRST = 24000 + 3 * SPAN * (os.getpid() % 8)
BASES = (_FIRST, _FIRST + SPAN, _FIRST + 2 * SPAN)
"""Neither the demo's ports nor those of test runs, and as a rule others than in the same test of another run."""


def test_two_runs_at_once_get_different_labs(tmp_path: Path) -> None:
    with borrowed(tmp_path, BASES) as first, borrowed(tmp_path, BASES) as second:
        assert first.root != second.root
        assert not set(first.ports()) & set(second.ports())


def test_a_range_with_a_taken_port_is_passed_over(tmp_path: Path) -> None:
    with borrowed(tmp_path, BASES) as lab:
        expected = lab.base
    with socket.create_server(("127.0.0.1", expected + 111)), borrowed(tmp_path, BASES) as lab:
        assert lab.base != expected


def test_the_end_of_a_run_ends_its_processes(tmp_path: Path) -> None:
    with borrowed(tmp_path, BASES) as lab:
        record = Supervisor(lab).start("one", ["sleep", "60"], log=lab.root / "log")
    assert not is_alive(record.process)


def test_what_a_killed_run_left_is_ended_and_removed(tmp_path: Path) -> None:
    base = BASES[0]
    program = (
        "import os, signal; from pathlib import Path; from lab.supervisor import Supervisor\n"
        "from lab.testbed import borrowed\n"
        f"with borrowed(Path({str(tmp_path)!r}), [{base}]) as lab:\n"
        "    Supervisor(lab).start('one', ['env', '-i', 'sleep', '60'], log=lab.root / 'log')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=False)
    assert killed.returncode == -9
    left = Supervisor(Lab(tmp_path / str(base), base)).records()
    assert [is_alive(record.process) for record in left] == [True]
    with borrowed(tmp_path, [base]) as lab:
        assert not is_alive(left[0].process)
        assert family(markers(lab)) == []
        assert not (lab.root / "log").exists()


def test_when_every_range_is_taken_the_ports_are_named(tmp_path: Path) -> None:
    with (
        borrowed(tmp_path, [BASES[2]]),
        pytest.raises(PreconditionError, match=f"ports {BASES[2]} to"),
        borrowed(tmp_path, [BASES[2]]),
    ):
        pass
