"""A TCP relay that makes loopback feel like a line to another city: each byte comes later, and not too many a second.

As a program it prints its port and serves until its input ends. Within a test it can also be cut or stopped in the
middle of what goes through it. One thread does everything, so that the relay itself takes next to no processor.
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_CHUNK = 32 * 1024
_BUFFER = 64 * 1024
"""Small buffers in the kernel: what lies in them has not arrived, but the sender thinks so."""

_LOOK = 0.05
"""Seconds until the relay sees that it is to cut, stop or end."""


@dataclass(frozen=True, slots=True)
class Line:
    """How a line is.

    :param delay: seconds each way.
    :param rate: bytes a second that each connection gets each way; 0 for as many as there are.
    """

    delay: float = 0.0
    rate: float = 0.0


_AT_ONCE = Line()


@dataclass(slots=True)
class _Flow:
    """One direction of one connection.

    :ivar free_at: when the line takes the next bytes.
    :ivar travelling: what is on its way, with the time of its arrival; no bytes for the end.
    """

    source: socket.socket
    sink: socket.socket
    free_at: float = 0.0
    is_open: bool = True
    travelling: deque[tuple[float, bytes]] = field(default_factory=deque)


class Relay:
    """Relays connections to a port on loopback; a context manager.

    :ivar port: where it listens.
    :ivar moved: how many bytes went in, both ways together.
    :ivar accepted: how many connections there were.
    """

    def __init__(self, target: int, line: Line = _AT_ONCE) -> None:
        self._target = target
        self._line = line
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._flows: list[_Flow] = []
        self._stopped = self._cut = self._ended = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port: int = self._listener.getsockname()[1]
        self.moved = self.accepted = 0

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join()
        self._listener.close()

    def cut(self) -> None:
        """End every connection, in the middle of whatever goes through it."""
        self._cut = True

    def stop(self) -> None:
        """Let nothing through any more, without a word to either side; new connections are taken, and hang too."""
        self._stopped = True

    def go_on(self) -> None:
        """Let everything through again."""
        self._stopped = False

    def _serve(self) -> None:
        while not self._ended:
            if self._cut:
                self._end_all()
                self._cut = False
            self._round()
        self._end_all()

    def _round(self) -> None:
        now = time.monotonic()
        moving = [] if self._stopped else self._flows
        sources = {flow.source: flow for flow in moving if flow.is_open and flow.free_at <= now}
        sinks = {flow.sink: flow for flow in moving if flow.travelling and flow.travelling[0][0] <= now}
        times = [flow.free_at for flow in moving if flow.is_open and flow.free_at > now]
        times += [flow.travelling[0][0] for flow in moving if flow.travelling and flow.travelling[0][0] > now]
        pause = max(0.0, min([*times, now + _LOOK]) - now)
        readable, writable, _ = select.select([self._listener, *sources], list(sinks), [], pause)
        for end in readable:
            if end is self._listener:
                self._accept()
            else:
                self._take(sources[end])
        for end in writable:
            self._deliver(sinks[end])
        self._flows = [flow for flow in self._flows if flow.is_open or flow.travelling]

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            end.setblocking(False)
        self.accepted += 1
        self._flows += [_Flow(client, server), _Flow(server, client)]

    def _take(self, flow: _Flow) -> None:
        try:
            data = flow.source.recv(_CHUNK)
        except OSError:
            data = b""
        self.moved += len(data)
        flow.is_open = bool(data)
        flow.free_at = max(flow.free_at, time.monotonic() - 0.01)  # a relay that woke up late makes up for it
        if self._line.rate:
            flow.free_at += len(data) / self._line.rate
        flow.travelling.append((flow.free_at + self._line.delay, data))

    def _deliver(self, flow: _Flow) -> None:
        due, data = flow.travelling.popleft()
        try:
            if not data:
                flow.sink.shutdown(socket.SHUT_WR)
            elif (sent := flow.sink.send(data)) < len(data):
                flow.travelling.appendleft((due, data[sent:]))
        except OSError:
            flow.travelling.clear()

    def _end_all(self) -> None:
        for flow in self._flows:
            with suppress(OSError):
                flow.source.shutdown(socket.SHUT_RDWR)
            flow.source.close()
        self._flows = []


@contextmanager
def relay_process(target: int, line: Line) -> Iterator[int]:
    """Run a relay in a process of its own, and yield its port."""
    argv = [sys.executable, "-m", "tests.benchmarks.relay", str(target), str(line.delay), str(line.rate)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    """Serve until the input ends; arguments: target port, delay in seconds, bytes a second."""
    target, delay, rate = sys.argv[1:]
    with Relay(int(target), Line(float(delay), float(rate))) as relay:
        print(relay.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
