"""What an agent answers to a sign of life, and when a file cannot be read."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.storage.copying.staged_index import to_text
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.ssh import agent_work
from incorta_provider.storage.ssh.agent import Agent
from incorta_provider.storage.ssh.facts import Facts
from incorta_provider.storage.ssh.wire import pack_paths, receive


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


class BadDisk(io.BytesIO):
    """A file whose first bytes can be read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(min(size or 0, 10))


def test_a_file_that_cannot_be_read_to_its_end_is_a_fault_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(bytes(100))
    monkeypatch.setattr(agent_work.os, "fdopen", lambda handle, *_, **__: os.close(handle) or BadDisk(bytes(100)))
    answer = agent_work.send({"root": to_text(bytes(tmp_path))}, pack_paths([b"a"]))
    assert next(answer).head["facts"][1] == 100
    assert next(answer).body == bytes(10)
    with pytest.raises(TransientError, match="reading a failed: Input/output error") as caught:
        next(answer)
    assert caught.value.where == str(tmp_path)


@pytest.mark.parametrize("becomes", ["nothing", "a link", "below a link"])
def test_a_file_that_is_gone_behind_its_facts_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    """B43: no error by itself; the next try sees what it is by now."""
    (tmp_path / "root/in").mkdir(parents=True)
    (tmp_path / "root/in/a").write_bytes(b"1")
    facts_of = agent_work.facts_of

    def then_changed(root: bytes, paths: Sequence[bytes], *, rest: bool) -> list[Facts]:
        found = facts_of(root, paths, rest=rest)
        if becomes == "below a link":
            (tmp_path / "root/in").rename(tmp_path / "outside")
            (tmp_path / "root/in").symlink_to(tmp_path / "outside")
            return found
        (tmp_path / "root/in/a").unlink()
        if becomes == "a link":
            (tmp_path / "root/in/a").symlink_to("/etc/passwd")
        return found

    monkeypatch.setattr(agent_work, "facts_of", then_changed)
    (answer,) = agent_work.send({"root": to_text(bytes(tmp_path / "root"))}, pack_paths([b"in/a"]))
    assert answer.head == {"missed": "unsettled"}
