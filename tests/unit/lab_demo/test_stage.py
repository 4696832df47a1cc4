from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from incorta_provider.exceptions import PreconditionError
from lab.demo.progress import Progress, wait_for
from lab.demo.stage import clean_stage, ensure_disposable, strike
from lab.processes import find
from lab.supervisor import Supervisor

BASE = 19990
SLEEP = "import time; time.sleep(600)"
QUIET = Progress(out=lambda _: None)


def test_a_folder_of_something_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(PreconditionError, match="no lab's"):
        clean_stage(tmp_path, BASE, QUIET)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_an_empty_or_absent_folder_is_fine(tmp_path: Path) -> None:
    ensure_disposable(tmp_path)
    ensure_disposable(tmp_path / "not" / "there")


def test_what_a_killed_demo_left_is_ended_and_removed(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    former = clean_stage(root, BASE, QUIET)
    (root / "summary.json").write_text("{}")
    server = Supervisor(former).start("server", [sys.executable, "-c", SLEEP], log=root / "log")
    lab = clean_stage(root, None, QUIET)
    assert lab == former
    assert find(server.pid) is None
    assert not (root / "summary.json").exists()


def test_a_demo_under_way_is_ended_before_its_servers(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    script = (
        "import sys, time; from pathlib import Path; from lab.demo.stage import clean_stage; "
        "from lab.demo.progress import Progress; "
        f"clean_stage(Path({str(root)!r}), {BASE}, Progress(out=lambda _: None)); print('on stage', flush=True); "
        "time.sleep(600)"
    )
    demo = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    assert demo.stdout.readline() == "on stage\n"
    said: list[str] = []
    clean_stage(root, None, Progress(out=said.append))
    assert find(demo.pid) is None
    assert any("ending the demo that is under way" in line for line in said)


def test_taking_the_lab_down_does_not_stop_the_demo_that_does_it(tmp_path: Path) -> None:
    lab = clean_stage(tmp_path / "lab", BASE, QUIET)
    strike(lab, QUIET)
    record = json.loads((lab.root / "demo.json").read_text())
    process = find(record["pid"])
    assert process is not None
    assert (process.pid, process.ticks) == (os.getpid(), record["ticks"])


def test_waiting_has_an_end() -> None:
    began = time.monotonic()
    with pytest.raises(PreconditionError, match="in vain for godot"):
        wait_for("godot", lambda: None, seconds=0.2, every=0.05)
    assert time.monotonic() - began < 20
    assert wait_for("zero", lambda: 0, seconds=1) == 0
