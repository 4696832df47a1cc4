"""What an agent answers to a sign of life."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.ssh.agent import Agent
from incorta_provider.storage.ssh.wire import receive


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_it_is_how_many_signs_its_work_has_shown(pipe: tuple[int, int]) -> None:
    agent = Agent(-1, pipe[1])
    with agent._signs.current():
        alive()
    agent._beat()
    message = receive(lambda size: os.read(pipe[0], size))
    assert message is not None
    assert message.head == {"beat": True, "signs": 1}


def test_nothing_is_answered_to_a_worker_that_takes_nothing(pipe: tuple[int, int]) -> None:
    """A worker that a bandwidth limit holds back reads nothing for a while; its agent must not end by that."""
    os.set_blocking(pipe[1], False)
    written = 0
    with suppress(BlockingIOError):
        while True:
            written += os.write(pipe[1], bytes(4096))
    Agent(-1, pipe[1])._beat()
    assert len(os.read(pipe[0], 2 * written)) == written
