"""A process of its own that plays a scenario and is killed at a chosen write.

It imports everything once and then forks a child for each run, because a test plays hundreds of them. Each line on
standard input is a JSON document: ``scenario``, ``root``, ``place`` of :mod:`tests.chaos.storage.places`, ``die_at``
and ``when`` of :class:`~tests.chaos.crashes.Killer`. It answers with the child's exit status and its calls.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import pyarrow.parquet  # noqa: F401 - imported before the forks

from tests.chaos.crashes import Killer
from tests.chaos.storage.places import open_pair
from tests.chaos.storage.scenarios import SCENARIOS


def play(order: dict[str, Any], answer: int) -> None:
    """Run one scenario in this process and write down which writes it made."""
    killer = Killer(order["die_at"], order["when"], order["root"] + "/")
    {"file": killer.watch_files, "ssh": killer.watch_node, "s3": killer.watch_bucket}[order["place"]["kind"]]()
    SCENARIOS[order["scenario"]](open_pair(Path(order["root"]), order["place"]))
    calls = list(killer.calls)
    with os.fdopen(answer, "w") as pipe:
        json.dump(calls, pipe)


def run_child(order: dict[str, Any]) -> dict[str, Any]:
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
    return {"status": os.waitstatus_to_exitcode(ended), "calls": json.loads(calls or "[]")}


def main() -> None:
    """Answer orders until there are no more."""
    for line in sys.stdin:
        print(json.dumps(run_child(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
