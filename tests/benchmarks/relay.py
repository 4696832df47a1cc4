"""A TCP relay that makes loopback feel like a line to another city: each byte comes later, and not too many a second.

As a program it prints its port and serves until its input ends. Within a test it can also be cut or stopped in the
middle of what goes through it.
"""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 16 * 1024
_BUFFER = 64 * 1024
"""Small buffers in the kernel: what lies in them has not arrived, but the sender thinks so."""


@dataclass(frozen=True, slots=True)
class Line:
    """How a line is.

    :param delay: seconds each way.
    :param rate: bytes a second that each connection gets each way; 0 for as many as there are.
    """

    delay: float = 0.0
    rate: float = 0.0


class Relay:
    """Relays connections to a port on loopback; a context manager.

    :ivar port: where it listens.
    :ivar bytes_up: how many bytes clients have sent through it; ``bytes_down``: how many were sent to them.
    """

    def __init__(self, target: int, line: Line = Line()) -> None:
        self._target = target
        self._line = line
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._ends: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0

    def __enter__(self) -> Relay:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._flows.set()

    def cut(self) -> None:
        """End every connection, in the middle of whatever goes through it."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Let nothing through any more, without a word to either side; new connections are taken, and hang too."""
        self._flows.clear()

    def go_on(self) -> None:
        """Let everything through again."""
        self._flows.set()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError):
                server = socket.create_connection(("127.0.0.1", self._target))
                self._connect(client, server)

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        self.connections += 1
        self._ends += [client, server]
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        for source, sink, up in ((client, server, True), (server, client, False)):
            travelling: queue.Queue[tuple[float, bytes]] = queue.Queue()
            threading.Thread(target=self._take, args=(source, travelling, up), daemon=True).start()
            threading.Thread(target=self._deliver, args=(travelling, sink), daemon=True).start()

    def _take(self, source: socket.socket, travelling: queue.Queue[tuple[float, bytes]], up: bool) -> None:
        free_at = time.monotonic()
        data = b"-"
        while data:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            if up:
                self.bytes_up += len(data)
            else:
                self.bytes_down += len(data)
            free_at = max(free_at, time.monotonic())
            if self._line.rate:
                free_at += len(data) / self._line.rate
            travelling.put((free_at + self._line.delay, data))
            if (pause := free_at - time.monotonic()) > 0:
                time.sleep(pause)

    def _deliver(self, travelling: queue.Queue[tuple[float, bytes]], sink: socket.socket) -> None:
        data = b"-"
        while data:
            due, data = travelling.get()
            if (pause := due - time.monotonic()) > 0:
                time.sleep(pause)
            self._flows.wait()
            with suppress(OSError):
                if data:
                    sink.sendall(data)
                else:
                    sink.shutdown(socket.SHUT_WR)


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
