"""A process of its own that plays a scenario and is killed at a chosen write.

It imports everything once and then forks a child for each run, because a test plays hundreds of them. Each line on
standard input is a JSON document: ``scenario``, ``root``, and ``die_at``: the number of the call that writes, before
which (``when`` is ``before``) or behind which (``after``) the child kills itself; 0 lets it live. It answers with the
child's exit status and how many such calls were made.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet  # noqa: F401 - imported before the forks

from incorta_provider.storage.checks import drop_from_manifest, verify_staged
from tests.builders.storage import Pair, complete, make_point

WRITING = ["write", "pwrite", "rename", "replace", "link", "symlink", "mkdir", "rmdir", "unlink", "remove"]
WRITING += ["chmod", "fchmod", "utime", "fsync", "truncate", "ftruncate"]


class Killer:
    """Counts the calls that write, and ends the process at one of them."""

    def __init__(self, die_at: int, when: str) -> None:
        self.die_at, self.when, self.calls = die_at, when, 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            number = self.calls
            if number == self.die_at and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return function(*arguments, **named)
            finally:
                if number == self.die_at and self.when == "after":
                    os.kill(os.getpid(), signal.SIGKILL)

        return call

    def watch(self) -> None:
        """Stand around every function of the system that changes files."""
        for name in WRITING:
            setattr(os, name, self.around(getattr(os, name)))
        opened, io_opened = os.open, io.open
        watched, io_watched = self.around(opened), self.around(io_opened)

        def open_handle(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            writes = flags & (os.O_CREAT | os.O_TRUNC)
            return int((watched if writes else opened)(path, flags, *rest, **named))

        def open_file(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            return (io_watched if set(mode) & set("wax+") else io_opened)(file, mode, *rest, **named)

        os.open = open_handle
        io.open = builtins.open = open_file  # type: ignore[assignment]


def copy(pair: Pair) -> None:
    """Do the passes of run B, from its pre-copy on."""
    workspace = pair.catalog.workspace("run of B")
    pair.copy(workspace)
    pair.copy(workspace, final=True)


def check(pair: Pair) -> None:
    """Check what run B staged, and leave out what is not whole."""
    workspace = pair.catalog.workspace("run of B")
    report = verify_staged(pair.target, workspace)
    assert report.damaged == (), report
    drop_from_manifest(workspace, report.framing_faults)


def seal(pair: Pair) -> None:
    """Seal run B, unless a former try did."""
    if any(point.id == "B" for point in pair.catalog.points()):
        return
    workspace = pair.catalog.workspace("run of B")
    complete(workspace)
    pair.catalog.seal(workspace, make_point("B", workspace, minute=2))


def whole_run(pair: Pair) -> None:
    """Make point B from beginning to end, as a run that is started again does."""
    if not any(point.id == "B" for point in pair.catalog.points()):
        copy(pair)
        check(pair)
        seal(pair)
    pair.apply("B")


SCENARIOS: dict[str, Callable[[Pair], object]] = {
    "copy": copy,
    "check": check,
    "seal": seal,
    "whole": whole_run,
    "apply A": lambda pair: pair.apply("A"),
    "apply B": lambda pair: pair.apply("B"),
    "discard": lambda pair: pair.catalog.discard("run of B"),
}


def play(order: dict[str, Any], answer: int) -> None:
    """Run one scenario in this process and write down how many writes it made."""
    killer = Killer(order["die_at"], order["when"])
    killer.watch()
    SCENARIOS[order["scenario"]](Pair(Path(order["root"])))
    with os.fdopen(answer, "w") as pipe:
        pipe.write(str(killer.calls))


def run_child(order: dict[str, Any]) -> dict[str, int]:
    """Fork, play, and return how the child ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        status = 1
        try:
            play(order, writer)
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        calls = pipe.read()
    _, ended = os.waitpid(child, 0)
    return {"status": os.waitstatus_to_exitcode(ended), "calls": int(calls or 0)}


def main() -> None:
    """Answer orders until there are no more."""
    for line in sys.stdin:
        print(json.dumps(run_child(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
