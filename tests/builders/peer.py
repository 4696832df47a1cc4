"""A server of a few lines, for what no real one does on demand: silence, nonsense, a question for a certificate."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.servers.certificates import Certificates

LONG_SECONDS = 20.0
"""How long a silent server stays: who waits longer than its own limit finds the connection closed, and says that."""

EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@dataclass
class Peer:
    """A server that runs.

    :ivar heads: of the requests, as they came.
    :ivar connections: how many there were.
    :ivar over: set when the test is.
    """

    port: int
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def request(self, connection: socket.socket) -> bytes:
        """Read a request with its body; empty when there is none any more."""
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := connection.recv(65536)):
                return b""
            head += data
        head, _, body = head.partition(b"\r\n\r\n")
        self.heads.append(head)
        left = _length(head) - len(body)
        while left > 0:
            left -= len(connection.recv(min(left, 1 << 20)))
        return head

    def shake_hands(self, connection: ssl.SSLSocket) -> None:
        """Begin TLS; a client that is refused can read why: a connection that is closed at once may lose that."""
        try:
            connection.do_handshake()
        except ssl.SSLError:
            self.over.wait(LONG_SECONDS)
            raise

    def be_silent(self) -> None:
        """Neither read nor write."""
        self.over.wait(LONG_SECONDS)


Serve = Callable[[Peer, socket.socket], None]


def answering(answer: bytes) -> Serve:
    """Give the same answer to all requests."""

    def serve(peer: Peer, connection: socket.socket) -> None:
        while peer.request(connection):
            connection.sendall(answer)

    return serve


@contextmanager
def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """Run a server on a free port of 127.0.0.1; each connection has a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer(listener.getsockname()[1])

        def one(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                if tls is not None:
                    with tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as wrapped:
                        peer.shake_hands(wrapped)
                        serve(peer, wrapped)
                else:
                    serve(peer, connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    peer.connections += 1
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield peer
        finally:
            peer.over.set()


def certificates(folder: Path) -> Certificates:
    """Make the certificates of a server at 127.0.0.1 and of a client."""
    made = Certificates(folder)
    folder.mkdir(exist_ok=True)
    made.make()
    return made


def server_tls(made: Certificates, *, asks_client: bool = False) -> ssl.SSLContext:
    """Return how a server speaks TLS.

    :param asks_client: only to clients with a certificate of the same CA.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate("server"), made.key("server"))
    if asks_client:
        context.load_verify_locations(made.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
