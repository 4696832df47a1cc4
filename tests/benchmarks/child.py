"""Runs our side of a contest in a fresh Python process, as a task of Airflow would, and measures its memory.

The time is taken inside: interpreter and imports are there in a task before its step begins. Helper processes and
client programs that the step starts are inside the time and inside the memory.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.contest import Clocks, Sample

Work = Callable[..., Mapping[str, float]]
"""Does the work and returns its seconds by phase."""

_EVERY_SECONDS = 0.1
_ROOT = Path(__file__).parents[2]


def in_child(work: Work, *arguments: Any) -> Sample:
    """Call a function of a module in a process of its own.

    :param arguments: picklable; they go through a pipe, so a password is safe there.
    """
    argv = [sys.executable, "-m", "tests.benchmarks.child"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT)
    with process, PeakMemory(process.pid) as memory:
        output, _ = process.communicate(pickle.dumps((work, arguments)))
    if process.returncode != 0:
        raise RuntimeError(f"{work.__name__} failed; its error stands above")
    took, phases = pickle.loads(output)
    return Sample(took.wall, took.cpu, phases, memory.mib)


class PeakMemory:
    """Watches a process and all below it: the sum of their proportional set sizes, where shared pages count once.

    A sample every tenth of a second: a peak that is shorter may be missed.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._kib = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    @property
    def mib(self) -> float:
        """The highest sum seen."""
        return self._kib / 1024

    def __enter__(self) -> PeakMemory:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self._kib = max(self._kib, sum(map(_proportional_kib, family(self._pid))))


def family(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants; one that ends meanwhile may be left out."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _text(task).split():
            yield from family(int(child))


def _proportional_kib(pid: int) -> int:
    lines = _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def main() -> None:
    """Do what the parent sends and answer with the time it took and its phases."""
    work, arguments = pickle.load(sys.stdin.buffer)
    started = Clocks.now()
    phases = work(*arguments)
    sys.stdout.buffer.write(pickle.dumps((Clocks.now().since(started), phases)))


if __name__ == "__main__":
    main()
