"""HTTP/1.1 as S3 servers speak it, over connections that stay open: a fifth of what a general library costs a request.

That matters: with objects of some kilobytes the client's processor is what bounds a copy. No redirects, no cookies, no
compression; bodies with a length, in chunks or up to the end of the connection; TLS; a proxy for plain HTTP, and by
CONNECT for TLS.

:raises OSError: the connection failed, ended too early or timed out; whether the request was done is not known. Once
    the body of an answer has begun, that is always a ``ConnectionError``.
:raises ValueError: the answer is not HTTP.
"""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.s3.access import Access
from incorta_provider.storage.s3.line import Line, limit_waits, number
from incorta_provider.storage.s3.unreachable import ProxyRefusalError, SilentError

_PORTS = {"http": 80, "https": 443}
_CLOSED = frozenset({BrokenPipeError, ConnectionResetError})
_NOT_LET_THROUGH = frozenset({401, 403, 407})


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
        self._to_proxy = _credentials(self._proxy) if self._proxy else ""
        self._idle: deque[Line] = deque()

    def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Send a request and return its answer, with the body still to be read.

        A connection that the server closed while it was idle is replaced.

        :param headers: with ``host``, and ``content-length`` where there is a body.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if self._proxy is not None and self._tls is None:
            target = f"http://{self.host}{target}"
            lines += self._to_proxy
        head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
        while (line := self._pop()) is not None:
            try:
                return self._on(line, method, head, body)
            except SilentError:
                self._forget_idle()
                raise
            except ConnectionError:
                continue
        return self._on(self._connect(), method, head, body)

    def _on(self, line: Line, method: str, head: bytes, body: bytes) -> Response:
        try:
            line.send(head, body)
            status, headers = line.answer()
        except BaseException as error:
            early = line.early_refusal() if body and type(error) in _CLOSED else None
            if early is None:
                line.close()
                raise
            status, headers = early
        return Response(status, headers, self._body(line, headers, empty=method == "HEAD" or status in {204, 304}))

    def _body(self, line: Line, headers: Mapping[str, str], *, empty: bool) -> Iterator[bytes]:
        """Yield the body, and give the connection back after its last byte."""
        whole = False
        try:
            if empty:
                pass
            elif headers.get("transfer-encoding", "").lower() == "chunked":
                yield from line.chunked()
            elif "content-length" in headers:
                yield from line.counted(number(headers["content-length"]))
            else:
                yield from line.remaining()
                return
            whole = True
        finally:
            if whole and headers.get("connection", "").lower() != "close":
                self._idle.append(line)
            else:
                line.close()

    def _pop(self) -> Line | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _forget_idle(self) -> None:
        """Close what is idle: where one connection was lost without a word, as by a firewall, the others were too."""
        while (line := self._pop()) is not None:
            line.close()

    def _connect(self) -> Line:
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
            limit_waits(connection, self._access.read_seconds)
        except BaseException:
            connection.close()
            raise
        return Line(connection)

    def _ask_proxy(self, connection: socket.socket) -> None:
        place = f"{self._address[0]}:{self._address[1]}"
        connection.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{self._to_proxy}\r\n".encode())
        status, _ = Line(connection).answer()
        if status >= 300:
            kind = ProxyRefusalError if status in _NOT_LET_THROUGH else ConnectionError
            raise kind(f"the proxy refused the connection with status {status}")


def _credentials(proxy: SplitResult) -> str:
    """Return the header that tells the proxy who asks; empty when its URL names nobody."""
    if proxy.username is None:
        return ""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {b64encode(pair.encode()).decode()}\r\n"


def _context(access: Access) -> ssl.SSLContext:
    """Return how the server's certificate is checked, as the connection has it.

    :raises ConfigurationError: one of its files is not there, or is no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=access.verify if isinstance(access.verify, str) else None)
        if access.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if access.certificate:
            context.load_cert_chain(*access.certificate)
    except OSError as error:
        files = ", ".join(str(file) for file in (access.verify, *access.certificate) if isinstance(file, str))
        raise ConfigurationError(
            f"the certificates {files} cannot be used: {error}",
            where=f"connection {access.info.conn_id}",
            fix="Correct verify or client_cert in its extra field, and see that this worker may read the files.",
        ) from None
    return context
