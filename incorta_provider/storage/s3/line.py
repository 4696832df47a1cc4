"""One connection that speaks HTTP/1.1: a request goes out, and the parts of an answer come in.

:raises ConnectionError: of every call: the connection failed, ended too early, or the server fell silent.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator

from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.s3.unreachable import SilentError, is_refused_by_tls

CHUNK_BYTES = 256 * 1024
_SENT_BYTES = 1024 * 1024
_SENT_BYTES_TLS = 64 * 1024
"""What is sent at once, with a sign of life after it. The time limit of TLS is for all of it, else for any byte."""

_END = b"\r\n\r\n"
_LONGEST_HEAD = 64 * 1024
_HEAD_BYTES = 32 * 1024
"""Room for a head and what comes behind it; room for a large piece is taken from the kernel anew each time."""
_QUICK = getattr(socket, "TCP_QUICKACK", None)
"""Linux: acknowledge at once. A server that sends head and body apart, as RADOS gateways do, else waits 40 ms."""


class Line:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._is_plain = not isinstance(connection, ssl.SSLSocket)
        self._sent_bytes = _SENT_BYTES if self._is_plain else _SENT_BYTES_TLS
        self._ahead = b""

    def close(self) -> None:
        """Close it, whatever is under way."""
        self._connection.close()

    def send(self, head: bytes, body: bytes) -> None:
        """Send a request: a small body together with its head, a large one with signs of life."""
        try:
            if len(body) < CHUNK_BYTES:
                self._connection.sendall(head + body)
                return
            self._connection.sendall(head)
            rest = memoryview(body)
            for at in range(0, len(body), self._sent_bytes):
                self._connection.sendall(rest[at : at + self._sent_bytes])
                alive()
        except OSError as error:
            raise _lost(error, "took no byte of a request") from None

    def answer(self) -> tuple[int, dict[str, str]]:
        """Read up to the end of the head, and past a ``100 Continue``."""
        while True:
            head = self._head()
            lines = head.decode("latin-1").split("\r\n")
            words = lines[0].split(" ", 2)
            if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
                raise ValueError(f"the answer is not HTTP but begins with {lines[0][:80]!r}")
            status = int(words[1])
            if status >= 200:
                fields = [line.partition(":") for line in lines[1:]]
                return status, {name.lower(): value.strip() for name, _, value in fields}

    def early_refusal(self) -> tuple[int, dict[str, str]] | None:
        """Return what the server said before it closed the connection in the middle of a request; None for nothing.

        One that refuses a large body, as for a right that is lacking, need not wait for the end of it. Of a broken TLS
        connection nothing can be read any more.
        """
        try:
            status, headers = self.answer()
        except (OSError, ValueError):
            return None
        return None if status < 300 else (status, {**headers, "connection": "close"})

    def _head(self) -> bytes:
        data = self._ahead
        while (end := data.find(_END)) < 0:
            if len(data) > _LONGEST_HEAD:
                raise ConnectionError("the answer has no end of its head: this is not an HTTP server")
            data += self._receive(_HEAD_BYTES)
        self._ahead = data[end + len(_END) :]
        return data[:end]

    def counted(self, size: int) -> Iterator[bytes]:
        """Yield ``size`` bytes."""
        while size:
            piece, self._ahead = (self._ahead[:size], self._ahead[size:]) if self._ahead else (self._receive(size), b"")
            size -= len(piece)
            yield piece

    def chunked(self) -> Iterator[bytes]:
        """Yield a body in chunks, each with its length before it."""
        while size := number(self._text_line().split(b";")[0], 16):
            yield from self.counted(size)
            self._text_line()
        while self._text_line():
            pass

    def remaining(self) -> Iterator[bytes]:
        """Yield a body without a length, up to the end of the connection: nothing here proves that it is whole."""
        piece = self._ahead
        while True:
            yield piece
            piece = self._received(CHUNK_BYTES)
            if not piece:
                return

    def _text_line(self) -> bytes:
        while (end := self._ahead.find(b"\r\n")) < 0:
            self._ahead += self._receive()
        found, self._ahead = self._ahead[:end], self._ahead[end + 2 :]
        return found

    def _receive(self, most: int = CHUNK_BYTES) -> bytes:
        data = self._received(most)
        if not data:
            raise ConnectionResetError("the server closed the connection in the middle of an answer")
        return data

    def _received(self, most: int) -> bytes:
        if _QUICK is not None and self._is_plain:
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)
        try:
            return self._connection.recv(min(most, CHUNK_BYTES))
        except OSError as error:
            raise _lost(error, "fell silent before the end of an answer") from None


def limit_waits(connection: socket.socket, seconds: float) -> None:
    """End each wait for a byte after so many seconds.

    The kernel's own limit costs no system call a read, unlike Python's; but under TLS Python would wait again for ever.
    """
    if isinstance(connection, ssl.SSLSocket):
        connection.settimeout(seconds)
        return
    connection.settimeout(None)
    limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, limit)


def _lost(error: OSError, silence: str) -> OSError:
    """Return what to raise for a connection that failed; ``silence`` says what a server did that says nothing."""
    if isinstance(error, BlockingIOError | TimeoutError):
        return SilentError(f"the server {silence}")
    if isinstance(error, ConnectionError) or is_refused_by_tls(error):
        return error
    return ConnectionError(f"the connection failed: {error}")


def number(text: str | bytes, base: int = 10) -> int:
    """Read a length that the server wrote."""
    try:
        return int(text, base)
    except ValueError:
        raise ConnectionError(f"the answer has {text[:80]!r} where the length of its body belongs") from None
