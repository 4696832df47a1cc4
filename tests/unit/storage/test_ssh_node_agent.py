"""An agent is asked again only when its last answer came to its end."""

from __future__ import annotations

import io
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.ssh import node_agent
from incorta_provider.storage.ssh.node_agent import LostError, Node
from incorta_provider.storage.ssh.wire import encode


class FakeShell:
    def __init__(self, _: ConnectionInfo) -> None:
        self.is_open = False

    def __enter__(self) -> FakeShell:
        self.is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False


class FakeChannel:
    closed = eof_received = False

    def __init__(self, answer: bytes) -> None:
        self.recv = io.BytesIO(answer).read

    def settimeout(self, _: float) -> None:
        pass

    def sendall(self, _: bytes) -> None:
        pass


class FakeStarter:
    """Starts agents that give these answers; each agent has all of them before it."""

    def __init__(self, answer: bytes) -> None:
        self.started: list[FakeShell] = []
        self.channels: list[FakeChannel] = []
        self._answer = answer

    def start(self, shell: Any) -> Any:
        self.started.append(shell)
        self.channels.append(FakeChannel(self._answer))
        return self.channels[-1]


PART, END = encode({"part": 1}), encode({"end": True})
ERROR = encode({"error": ["IntegrityError", "damaged", "", "Do."]})


def node(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> tuple[Node, FakeStarter]:
    monkeypatch.setattr(node_agent, "NodeShell", FakeShell)
    made = Node(ConnectionInfo(conn_id="berlin_node1", host="berlin"))
    starter = FakeStarter(answer)
    monkeypatch.setattr(made, "_starter", starter)
    monkeypatch.setattr(made, "_beating", True)
    return made, starter


def test_behind_an_end_or_an_error_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, starter = node(monkeypatch, PART + END + ERROR + PART + END)
    assert [part.head for part in asked.stream("list")] == [{"part": 1}]
    with pytest.raises(IntegrityError, match="damaged"):
        list(asked.stream("list"))
    assert len(list(asked.stream("list"))) == 1
    assert [shell.is_open for shell in starter.started] == [True]


def test_who_is_given_up_in_the_middle_of_an_answer_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, starter = node(monkeypatch, PART + PART + END)
    throttle = Throttle(Board(), None)
    with throttle.current():
        parts = asked.stream("list")
        next(parts)
        throttle.give_up()
        with pytest.raises(TransientError, match="given up"):
            next(parts)
    assert [shell.is_open for shell in starter.started] == [False]
    assert len(list(asked.stream("list"))) == 2, "by another one, whose answer it is"
    assert len(starter.started) == 2


def test_who_stops_in_the_middle_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, starter = node(monkeypatch, PART + PART + END)
    parts = asked.stream("list")
    next(parts)
    parts.close()  # type: ignore[attr-defined]
    assert [shell.is_open for shell in starter.started] == [False]


def test_an_agent_that_died_while_it_waited_gives_its_login_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, starter = node(monkeypatch, PART + END)
    assert len(list(asked.stream("list"))) == 1
    starter.channels[0].eof_received = True
    assert len(list(asked.stream("list"))) == 1
    assert [shell.is_open for shell in starter.started] == [False, True]


def test_work_behind_a_fence_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """B04: an agent that seems gone may live for a minute, and do it too."""
    asked, starter = node(monkeypatch, PART + END)
    assert len(list(asked.stream("list"))) == 1
    with pytest.raises(LostError, match=r"closed by the node"):
        list(asked.stream("do", fence="fences/apply"))
    assert len(starter.started) == 1
    assert len(list(asked.stream("list"))) == 1
    assert len(list(asked.stream("list"))) == 1, "what only looks is asked for again"
    assert len(starter.started) == 3
    assert len(list(asked.stream("prepare", fence="fences/apply"))) == 1, "and the fence may be made again"
    assert len(starter.started) == 4
