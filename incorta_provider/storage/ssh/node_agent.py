"""The worker's end of the agents at one node: as many as are asked at the same time, each over a login of its own.

An agent that is not needed any more waits a while for the next question. All end with this process.

:raises TransientError: of every question: the node cannot be reached, does not answer, or the connection was lost.
:raises ConfigurationError: see :mod:`incorta_provider.ssh.shell` and :mod:`incorta_provider.storage.ssh.bootstrap`.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from incorta_provider import exceptions
from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import DrError, TransientError
from incorta_provider.late import late
from incorta_provider.ssh.shell import NodeShell
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.ssh.bootstrap import Starter
from incorta_provider.storage.ssh.wire import Message, WireError, encode, receive

if TYPE_CHECKING:
    import paramiko
else:
    paramiko = late("paramiko")

log = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
"""An agent that is silent for this long, without even a beat, is lost."""

_IDLE_SECONDS = 60.0
_ERRORS = {
    name: kind for name, kind in vars(exceptions).items() if isinstance(kind, type) and issubclass(kind, DrError)
}


class LostError(TransientError):
    """An agent is gone, or its node, or the way to it."""


class _Agent:
    """One agent; one question at a time.

    :ivar is_free: whether the last answer came to its end, so that what comes next belongs to the next question.
    """

    def __init__(self, shell: NodeShell, starter: Starter, label: str) -> None:
        self._label = label
        self._shell = shell.__enter__()
        self._sending = threading.Lock()
        self.used = time.monotonic()
        self.is_free = True
        try:
            self._channel = starter.start(shell)
        except BaseException:
            shell.__exit__(None, None, None)
            raise
        self._channel.settimeout(SILENCE_SECONDS)

    def ask(self, do: str, head: dict[str, Any], body: bytes) -> Iterator[Message]:
        """Yield the parts of the answer; each is a sign of life here, and so is work at the node that goes on."""
        signs, self.is_free = None, False
        try:
            self._send(encode({"do": do, **head}, body))
            while (message := receive(self._read)) is not None:
                if "beat" in message.head:
                    before, signs = signs, message.head.get("signs")
                    if signs != before:
                        alive()
                    continue
                self.is_free = not message.head.keys().isdisjoint(("error", "end"))
                alive()  # which ends what was given up, also in the middle of an answer
                if "error" in message.head:
                    raise self._error(*message.head["error"])
                if "end" in message.head:
                    return
                yield message
        except (OSError, EOFError, paramiko.SSHException, WireError) as error:
            raise self._lost(do, error) from error
        raise self._lost(do, EOFError("closed by the node"))

    def beat(self) -> None:
        """Tell the agent that this worker is alive."""
        try:
            self._send(encode({"do": "beat"}))
        except (OSError, EOFError, paramiko.SSHException):
            log.debug("%s: an agent is gone", self._label)

    def close(self) -> None:
        """End the agent."""
        self._shell.__exit__(None, None, None)

    @property
    def is_alive(self) -> bool:
        """Whether nothing is known to the contrary."""
        return not self._channel.closed and not self._channel.eof_received

    def _send(self, data: bytes) -> None:
        with self._sending:
            self._channel.sendall(data)

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._channel.recv(min(size, 1 << 20))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _error(self, kind: str, what: str, where: str, fix: str) -> DrError:
        place = f"{self._label}: {where}" if where else self._label
        return _ERRORS.get(kind, DrError)(what, where=place, fix=fix)

    def _lost(self, do: str, error: Exception) -> LostError:
        if isinstance(error, TimeoutError):
            what = f"the node stopped answering (asked to {do})"
        else:
            what = f"the connection was lost (asked to {do}): {error or type(error).__name__}"
        return LostError(what, where=self._label, fix="Is the node up? Trying again is safe.")


class Node:
    """The agents at one node; for many threads.

    :ivar name: of this process, unlike that of any other on any worker.
    :ivar python: what Python is called there.
    """

    def __init__(self, info: ConnectionInfo) -> None:
        self.info = info
        self.label = f"ssh://{info.conn_id}"
        self.name = uuid.uuid4().hex
        self._tokens = itertools.count(1)
        self.python = str(info.extra.get("python") or "python3")
        self._starter = Starter(self.python)
        self._lock = threading.Lock()
        self._short = threading.Lock()
        self._idle: list[_Agent] = []
        self._all: set[_Agent] = set()
        self._beating = False

    def stream(self, do: str, body: bytes = b"", **head: Any) -> Iterator[Message]:
        """Yield the parts of an answer as they come; who stops in the middle ends the agent.

        An agent that waited for a question may be gone, because firewalls forget connections and nodes are restarted:
        then another one is asked. But not for work behind a fence: the first agent may live for a minute more, and do
        it too, so that whoever asks has to lock it out before. To make the fence twice, for one token, does no harm.
        """
        while True:
            agent, is_new = self._take()
            told = False
            try:
                for part in agent.ask(do, head, body):
                    told = True
                    yield part
            except LostError:
                if told or is_new or ("fence" in head and do != "prepare"):
                    raise
                log.info("%s: an agent that waited is gone, another one is asked", self.label)
                continue
            finally:
                self._give_back(agent)
            return

    def call(self, do: str, body: bytes = b"", **head: Any) -> list[Message]:
        """Return all parts of an answer that takes no time: one after the other, which saves logins."""
        with self._short:
            return list(self.stream(do, body, **head))

    def new_token(self) -> str:
        """Return what names an entry behind a fence, for people to read too; no other entry has the same.

        See :mod:`incorta_provider.storage.ssh.fence`.
        """
        return f"{socket.gethostname()[:60]}:{os.getpid()}:{self.name}:{next(self._tokens)}"

    @property
    def streams(self) -> int:
        """How many connections files travel over at the same time, from the extra ``streams``."""
        text = str(self.info.extra.get("streams") or _STREAMS)
        if not (text.isdecimal() and 0 < int(text) <= _MAX_STREAMS):
            raise exceptions.ConfigurationError(
                f"streams {text[:20]!r} is not a number from 1 to {_MAX_STREAMS}",
                where=f"connection {self.info.conn_id}",
                fix="Correct it in its extra field.",
            )
        return int(text)

    def close(self) -> None:
        """End all agents that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
        for agent in idle:
            agent.close()

    def _take(self) -> tuple[_Agent, bool]:
        """Return an agent, and whether it was started for this."""
        if (waiting := self._take_waiting()) is not None:
            return waiting, False
        agent = _Agent(NodeShell(self.info), self._starter, self.label)
        with self._lock:
            self._all.add(agent)
            if not self._beating:
                self._beating = True
                threading.Thread(target=self._beat, name=f"beat {self.label}", daemon=True).start()
        return agent, True

    def _take_waiting(self) -> _Agent | None:
        """Return an agent that waits and is alive; the login of one that is not is ended."""
        dead: list[_Agent] = []
        try:
            with self._lock:
                while self._idle:
                    agent = self._idle.pop()
                    if agent.is_alive:
                        return agent
                    self._all.discard(agent)
                    dead.append(agent)
        finally:
            for agent in dead:
                agent.close()
        return None

    def _give_back(self, agent: _Agent) -> None:
        with self._lock:
            if agent.is_free and agent.is_alive:
                agent.used = time.monotonic()
                self._idle.append(agent)
                return
            self._all.discard(agent)
        agent.close()

    def _beat(self) -> None:
        """Say to each agent that we are here, as long as there is one, and end those that nobody needed for long."""
        while True:
            time.sleep(BEAT_SECONDS)
            with self._lock:
                too_old = time.monotonic() - _IDLE_SECONDS
                old = [agent for agent in self._idle if agent.used < too_old]
                self._idle = [agent for agent in self._idle if agent.used >= too_old]
                self._all.difference_update(old)
                beaten = list(self._all)
                if not beaten:
                    self._beating = False
            for agent in old:
                agent.close()
            if not beaten:
                return
            for agent in beaten:
                agent.beat()


_STREAMS = 4
_MAX_STREAMS = 64


def node_of(info: ConnectionInfo) -> Node:
    """Return the node of a connection: the same for all of this process, so that its agents are used again."""
    return _node(os.getpid(), _Same(info))


class _Same:
    """Compares connections by all that they hold; a field that was changed makes another node."""

    def __init__(self, info: ConnectionInfo) -> None:
        self.info = info

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.info == other.info

    def __hash__(self) -> int:
        return hash((self.info.conn_id, self.info.host, self.info.port, self.info.login))


@cache
def _node(_: int, key: _Same) -> Node:
    return Node(key.info)
