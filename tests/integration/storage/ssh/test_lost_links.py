"""B04: a connection that is lost in the middle of an apply; nothing is done twice at a time at the node."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.ssh.fence import inside
from incorta_provider.storage.ssh.volume import RemoteVolume
from tests.benchmarks.relay import Relay
from tests.integration.storage.ssh.test_faults import wait_for_end

pytestmark = pytest.mark.lab

HISTORY = b"history/x"
MAKE = Step(Verb.FOLDER, b"made")


def token_in(fence: Path) -> str:
    return fence.read_text()


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def live(tmp_path, target):
    target.volume.make_live_root()
    return tmp_path / "node/live"


def test_steps_whose_connection_is_lost_wait_for_the_first_agent_and_lock_it_out(target, live, dr):
    with Relay(dr().port) as relay:
        volume = RemoteVolume(dr(port=relay.port, conn_id="cut"), target.volume.root, target.volume.vault)
        volume.do([], HISTORY)
        (hello,) = volume.node.call("hello")
        fence = Path(os.fsdecode(volume.fence("apply")))
        first = token_in(fence)
        os.kill(hello.head["pid"], signal.SIGSTOP)
        try:
            moved = relay.moved
            with inside(str(fence), first):  # as the first agent is in the middle of steps
                asking = threading.Thread(target=volume.do, args=([MAKE], HISTORY))
                asking.start()
                until(lambda: relay.moved > moved)
                relay.cut()
                until(lambda: relay.accepted >= 2)
                asking.join(1.0)
                assert asking.is_alive()
                assert not (live / "made").exists()
            asking.join()
            assert (live / "made").exists()
            assert token_in(fence) != first
            with pytest.raises(TransientError, match="another worker has taken over"), inside(str(fence), first):
                pass
            (live / "made").rmdir()
        finally:
            os.kill(hello.head["pid"], signal.SIGCONT)
        wait_for_end(hello.head["pid"])
        assert not (live / "made").exists(), "what the first agent was still asked to do is refused"


def test_each_entry_behind_a_fence_ends_the_one_before(target, live):
    volume = target.volume
    volume.do([], HISTORY)
    fence = Path(os.fsdecode(volume.fence("apply")))
    first = token_in(fence)
    volume.do([], b"history/y")
    assert token_in(fence) != first
