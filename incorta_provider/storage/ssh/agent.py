"""The program that runs at a node, for as long as the worker talks to it.

It takes one request after the other from its input, and answers on its output. When the worker is silent for a minute,
or its end of the connection is gone, the program ends at once, with all that it started: a worker that was killed, or
was cut off, leaves nothing behind that still writes.

It is sent to the node as one file (:mod:`incorta_provider.storage.ssh.bundle`), and the standard library is all that it
needs there.
"""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from incorta_provider.exceptions import DrError
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.local.copy import write_all
from incorta_provider.storage.ssh.agent_vault import VAULT_WORK, end_lines
from incorta_provider.storage.ssh.agent_work import SOURCE_WORK
from incorta_provider.storage.ssh.fence import run_fenced
from incorta_provider.storage.ssh.wire import Message, WireError, encode, receive

SILENCE_SECONDS = 60.0
"""The worker says something every few seconds; see ``BEAT_SECONDS`` in ``node_agent``."""

_READY = b"incorta-dr agent ready\n"
_WORK: dict[str, Callable[[dict[str, Any], bytes], Iterator[Message]]] = {**SOURCE_WORK, **VAULT_WORK}


def main() -> None:
    """Talk over standard input and output; or run rsync behind a fence, when told so by arguments."""
    if sys.argv[1:2] == ["fenced"]:
        run_fenced(sys.argv[2:])
    source, sink = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    Agent(source, sink).serve()


class Agent:
    """Serves one worker.

    :param source: descriptor that requests come from.
    :param sink: descriptor that answers go to.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._sending = threading.Lock()
        self._signs = Throttle(Board(), None)
        self._requests: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def serve(self) -> NoReturn:
        """Answer until the worker has gone; does not return."""
        self._write(_READY)
        with self._signs.current():
            self._work()

    def _work(self) -> NoReturn:
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            request = self._requests.get()
            self._send(self._outcome(request))

    def _outcome(self, request: Message) -> Message:
        """Do what is asked, send what comes of it piece by piece, and return the end of the answer."""
        try:
            for part in _WORK[request.head["do"]](request.head, request.body):
                self._send(part)
        except DrError as error:
            return _failure(type(error).__name__, error.what, error.where, error.fix)
        except Exception:
            return _failure("DrError", traceback.format_exc(), f"agent {os.getpid()}", "Report this as a bug.")
        return Message({"end": True})

    def _listen(self) -> None:
        """Take requests and signs of life; end the program when neither comes any more."""
        try:
            while (message := receive(self._read)) is not None:
                if message.head.get("do") == "beat":
                    self._beat()
                else:
                    self._requests.put(message)
        except (OSError, WireError):
            pass
        finally:
            try:
                end_lines()
            finally:
                os._exit(0)  # the kernel ends the children: see run_fenced

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            if not select.select([self._source], [], [], SILENCE_SECONDS)[0]:
                raise WireError("the worker is silent")
            part = os.read(self._source, min(size, 1 << 20))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _beat(self) -> None:
        """Answer a sign of life with how many the work has shown, unless an answer is under way or nobody takes it."""
        if self._sending.acquire(blocking=False):
            try:
                if select.select([], [self._sink], [], 0)[1]:
                    counts = self._signs.board.counts()
                    self._write(encode({"beat": True, "signs": counts.size + counts.beats}))
            finally:
                self._sending.release()

    def _send(self, message: Message) -> None:
        data = encode(message.head, message.body)
        with self._sending:
            self._write(data)

    def _write(self, data: bytes) -> None:
        write_all(self._sink, memoryview(data))


def _failure(kind: str, what: str, where: str, fix: str) -> Message:
    return Message({"error": [kind, what, where, fix]})
