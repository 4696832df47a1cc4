"""A program that takes nothing is ended; one that goes on, however slowly, is not."""

from __future__ import annotations

import subprocess
import time

from incorta_provider.metadata.watch import watched


def test_a_program_that_takes_nothing_any_more_is_ended() -> None:
    with subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE) as process, watched(process, 0.05) as watch:
        assert process.wait(timeout=60) == -9
        assert watch.ended


def test_a_program_that_goes_on_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "6"], stdin=subprocess.PIPE) as process, watched(process, 5) as watch:
        while process.poll() is None:
            watch.goes_on()
            time.sleep(0.01)
        assert (process.returncode, watch.ended) == (0, False)
