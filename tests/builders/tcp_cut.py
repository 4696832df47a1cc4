"""A way to a server that is cut after so many bytes: both ends lose all their connections at once."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_CHUNK = 1 << 16


@dataclass
class Way:
    """A port that leads to another one until so many bytes have passed.

    :ivar left: bytes that may still pass, both directions together.
    """

    listener: socket.socket
    server: tuple[str, int]
    left: int
    ends: list[socket.socket] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def is_cut(self) -> bool:
        return self.left <= 0

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.server)
                with self.lock:
                    self.ends += [client, server]
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for end in ready:
                    piece = end.recv(_CHUNK)
                    with self.lock:
                        self.left -= len(piece)
                    if self.is_cut:
                        self.close()
                    if not piece or self.is_cut:
                        _shut(client, server)
                        return
                    (server if end is client else client).sendall(piece)

    def close(self) -> None:
        """Let both ends of every connection find that the other one is gone."""
        with self.lock:
            _shut(*self.ends)


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def way_that_is_cut(host: str, port: int, *, after: int) -> Iterator[Way]:
    """Lend a way to a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = Way(listener, (host, port), after)
        threading.Thread(target=way.serve, daemon=True).start()
        yield way
        way.close()
