"""A clean start and a clean end, whatever a former demo left: finished, still running, or killed half-way.

Only processes that a lab's supervisor wrote down are ended, by their id and start time.

Raises :class:`~incorta_provider.exceptions.PreconditionError` for a state folder that is not a lab's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

from incorta_provider.exceptions import PreconditionError
from lab.demo.progress import Progress
from lab.files import write
from lab.layout import Lab
from lab.processes import Process, find, is_alive, send, wait_until_gone
from lab.state import open_lab, record_base
from lab.up import down


def clean_stage(root: Path, base: int | None, progress: Progress) -> Lab:
    """Return an empty lab, after taking down what ran in its folder before."""
    ensure_disposable(root)
    lab = open_lab(root, base)
    strike(lab, progress)
    shutil.rmtree(lab.root, ignore_errors=True)
    lab.root.mkdir(parents=True)
    record_base(lab)
    record_self(lab)
    return lab


def strike(lab: Lab, progress: Progress) -> None:
    """End a demo that is under way, then everything that it started."""
    former = _recorded(lab)
    if former and former.pid != os.getpid() and is_alive(former):
        progress("ending the demo that is under way")
        send(former, signal.SIGKILL)
        wait_until_gone([former], seconds=10)
    if lab.root.exists():
        down(lab, progress)


def ensure_disposable(root: Path) -> None:
    """Refuse a folder that holds something which no lab put there, for it is going to be emptied.

    :raises PreconditionError: it does.
    """
    if root.exists() and any(root.iterdir()) and not (root / "lab.json").exists():
        raise PreconditionError(
            "this folder is not empty and is no lab's", where=str(root), fix="Name another folder with --root."
        )


def record_self(lab: Lab) -> None:
    """Write this process down, so that the next demo can end it.

    Not among the supervised processes: to take the lab down must not stop the one who does it.
    """
    process = find(os.getpid())
    write(_record(lab), json.dumps({"pid": os.getpid(), "ticks": process.ticks if process else 0}))


def _recorded(lab: Lab) -> Process | None:
    try:
        facts = json.loads(_record(lab).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Process(facts["pid"], parent=0, ticks=facts["ticks"])


def _record(lab: Lab) -> Path:
    return lab.root / "demo.json"
