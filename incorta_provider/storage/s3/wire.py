"""HTTP/1.1 as S3 servers speak it, over connections that stay open: a fifth of what a general library costs a request.

That matters: with objects of some kilobytes the client's processor is what bounds a copy. No redirects, no cookies, no
compression; bodies with a length or in chunks; TLS; a proxy for plain HTTP, and by CONNECT for TLS.

:raises OSError: the connection failed, ended too early or timed out; whether the request was done is not known.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from incorta_provider.storage.s3.access import Access

CHUNK_BYTES = 256 * 1024

_PORTS = {"http": 80, "https": 443}
_END = b"\r\n\r\n"
_LONGEST_HEAD = 64 * 1024
_QUICK = getattr(socket, "TCP_QUICKACK", None)
"""Linux: acknowledge at once. A server that sends head and body apart, as RADOS gateways do, else waits 40 ms."""


class Response:
    """One answer; its body is read in full before the connection serves the next request.

    :ivar headers: by names in lower case.
    """

    def __init__(self, status: int, headers: Mapping[str, str], chunks: Iterator[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._chunks = chunks

    def read(self) -> bytes:
        """Return the rest of the body."""
        return b"".join(self._chunks)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body piece by piece."""
        return self._chunks


class Wire:
    """The connections to one server; for many threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        parts = urlsplit(access.base)
        self._scheme, self.host = parts.scheme, parts.netloc
        self._address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        self._proxy = urlsplit(access.proxy) if access.proxy else None
        self._tls = _context(access) if parts.scheme == "https" else None
        self._idle: deque[_Line] = deque()
        self._lock = threading.Lock()

    def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Send a request and return its answer, with the body still to be read.

        A connection that the server closed while it was idle is replaced.

        :param headers: with ``host``, and ``content-length`` where there is a body.
        """
        if self._proxy is not None and self._tls is None:
            target = f"http://{self.host}{target}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
        while (line := self._pop()) is not None:
            try:
                return self._on(line, method, head, body)
            except (ConnectionError, EOFError):
                line.close()
        return self._on(self._connect(), method, head, body)

    def _on(self, line: _Line, method: str, head: bytes, body: bytes) -> Response:
        try:
            line.send(head, body)
            status, headers = line.answer()
        except BaseException:
            line.close()
            raise
        return Response(status, headers, self._body(line, headers, empty=method == "HEAD" or status in {204, 304}))

    def _body(self, line: _Line, headers: Mapping[str, str], *, empty: bool) -> Iterator[bytes]:
        """Yield the body, and give the connection back after its last byte."""
        whole = False
        try:
            if empty:
                pass
            elif headers.get("transfer-encoding", "").lower() == "chunked":
                yield from line.chunked()
            else:
                yield from line.counted(int(headers.get("content-length", "0")))
            whole = True
        finally:
            if whole and headers.get("connection", "").lower() != "close":
                self._idle.append(line)
            else:
                line.close()

    def _pop(self) -> _Line | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> _Line:
        address = self._address
        if self._proxy is not None:
            address = (self._proxy.hostname or "", self._proxy.port or _PORTS["http"])
        connection = socket.create_connection(address, timeout=self._access.connect_seconds)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                if self._proxy is not None:
                    self._ask_proxy(connection)
                connection = self._tls.wrap_socket(connection, server_hostname=self._address[0])
            connection.settimeout(None)
            seconds = self._access.read_seconds
            limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # costs no system call a read, unlike Python's own
                connection.setsockopt(socket.SOL_SOCKET, option, limit)
        except BaseException:
            connection.close()
            raise
        return _Line(connection)

    def _ask_proxy(self, connection: socket.socket) -> None:
        place = f"{self._address[0]}:{self._address[1]}"
        connection.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        status, _ = _Line(connection).answer()
        if status != 200:
            raise ConnectionError(f"the proxy refused the connection with status {status}")


class _Line:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._is_plain = not isinstance(connection, ssl.SSLSocket)
        self._ahead = b""

    def close(self) -> None:
        self._connection.close()

    def send(self, head: bytes, body: bytes) -> None:
        if len(body) < CHUNK_BYTES:
            self._connection.sendall(head + body)
            return
        self._connection.sendall(head)
        self._connection.sendall(body)

    def answer(self) -> tuple[int, dict[str, str]]:
        """Read up to the end of the head, and past a ``100 Continue``."""
        while True:
            head = self._head()
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ", 2)[1])
            if status >= 200:
                return status, {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])}

    def _head(self) -> bytes:
        data = self._ahead
        while (end := data.find(_END)) < 0:
            if len(data) > _LONGEST_HEAD:
                raise ConnectionError("the answer has no end of its head: this is not an HTTP server")
            data += self._receive()
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
        while size := int(self._text_line().split(b";")[0], 16):
            yield from self.counted(size)
            self._text_line()
        while self._text_line():
            pass

    def _text_line(self) -> bytes:
        while (end := self._ahead.find(b"\r\n")) < 0:
            self._ahead += self._receive()
        found, self._ahead = self._ahead[:end], self._ahead[end + 2 :]
        return found

    def _receive(self, most: int = CHUNK_BYTES) -> bytes:
        if _QUICK is not None and self._is_plain:
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)
        try:
            data = self._connection.recv(min(most, CHUNK_BYTES))
        except (BlockingIOError, ssl.SSLError) as error:
            raise ConnectionError(f"the server fell silent in the middle of an answer: {error}") from None
        if not data:
            raise ConnectionResetError("the server closed the connection in the middle of an answer")
        return data


def _context(access: Access) -> ssl.SSLContext:
    """Return how the server's certificate is checked, as the connection has it."""
    context = ssl.create_default_context(cafile=access.verify if isinstance(access.verify, str) else None)
    if access.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate:
        context.load_cert_chain(*access.certificate)
    return context
