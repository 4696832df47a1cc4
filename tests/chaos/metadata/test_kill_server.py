"""``kill -9`` of the database server in the middle of a switch: its tables are all of one schema or of the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from incorta_provider.dr.schema_switch import Stage as SwitchStage
from incorta_provider.metadata.switch_journal import read_switch
from lab.layout import Lab
from lab.supervisor import Supervisor
from tests.chaos.metadata.stage import Stage
from tests.integration.metadata.test_kill import start_again

pytestmark = [pytest.mark.lab, pytest.mark.chaos]

DELAYS_MS = (0, 5, 10, 20, 30, 45, 60, 90, 120, 180)
"""After the record says that the switch begins."""


@pytest.fixture
def is_sample() -> bool:
    return False


@pytest.fixture
def crashing(stage: Stage, lab_layout: Lab) -> Iterator[Stage]:
    yield stage
    start_again(stage.dr.server, lab_layout)


def kill_in_the_window(stage: Stage, lab_layout: Lab, delay_ms: int, done: threading.Event) -> None:
    """Kill the server so long after the switch began, or not at all when the restore ends before."""
    while not done.is_set():
        switch = read_switch(stage.folder)
        if switch is not None and switch.stage is SwitchStage.SWITCHING:
            time.sleep(delay_ms / 1000)
            Supervisor(lab_layout).kill(stage.dr.server.name)
            return
        time.sleep(0.001)


@pytest.mark.parametrize("delay_ms", DELAYS_MS)
def test_a_server_that_dies_in_the_window(crashing: Stage, lab_layout: Lab, delay_ms: int) -> None:
    stage, done = crashing, threading.Event()
    old = stage.fresh()
    killer = threading.Thread(target=kill_in_the_window, args=(stage, lab_layout, delay_ms, done))
    killer.start()
    stage.order("restore").run()
    done.set()
    killer.join()
    start_again(stage.dr.server, lab_layout)
    with stage.tally.point("the server, in the window of a restore", f"{delay_ms} ms into it"):
        stage.ensure_intact(old)
        stage.order("restore").finish()
        stage.ensure_new()
        stage.order("return").finish()
        stage.ensure_old(old)
