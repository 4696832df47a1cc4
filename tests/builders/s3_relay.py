"""A relay before an S3 server that does to chosen requests what networks and busy servers do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it came.

    :ivar number: counts from 1.
    :ivar signature: names the access key that it was signed with.
    """

    number: int
    method: str
    target: str
    body: bytes
    signature: str


@dataclass(frozen=True)
class Answered:
    """One answer on its way back.

    :ivar cut: so many bytes of the body are sent before the connection is closed; None for all.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    cut: int | None = None


Forward = Callable[[bytes], Answered]
Rule = Callable[[Asked, Forward], Answered | None]
"""Returns the answer, None for a connection that is closed without one; calls what forwards the body to the server."""


def plain(asked: Asked, forward: Forward) -> Answered | None:
    """Do nothing to a request."""
    return forward(asked.body)


def lost(_: Asked, __: Forward) -> Answered | None:
    """Let a request reach nobody."""
    return None


def refused(status: int, code: str, **headers: str) -> Answered:
    """Return an S3 error."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by the relay</Message></Error>".encode()
    return Answered(status, list(headers.items()), body)


@dataclass
class Relay:
    """A relay that runs.

    :ivar rule: for all requests; may be changed at any time.
    """

    endpoint: str
    rule: Rule = plain
    seen: list[Asked] = field(default_factory=list)


@contextmanager
def relayed(endpoint: str) -> Iterator[Relay]:
    """Run a relay before a server while a block runs.

    Behind the block no request reaches the server any more, also none that a client sent before it died.
    """
    server = urlsplit(endpoint).netloc
    lock = threading.Condition()
    at_work, over = 0, False

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            nonlocal at_work
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            with lock:
                if over or len(body) < length:  # the client died in the middle of it
                    self.close_connection = True
                    return
                at_work += 1
                signature = self.headers.get("authorization", "")
                asked = Asked(len(relay.seen) + 1, self.command, self.path, body, signature)
                relay.seen.append(asked)
            try:
                answered = relay.rule(asked, self._forward)
            finally:
                with lock:
                    at_work -= 1
                    lock.notify_all()
            if answered is None:
                self.close_connection = True
                return
            self._answer(answered)

        def _forward(self, body: bytes) -> Answered:
            connection = http.client.HTTPConnection(server)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            kept = [(n, v) for n, v in response.getheaders() if n.lower() not in {"transfer-encoding", "connection"}]
            return Answered(response.status, kept, response.read())

        def _answer(self, answered: Answered) -> None:
            lines = [f"HTTP/1.1 {answered.status} x"]
            lines += [f"{name}: {value}" for name, value in answered.headers if name.lower() != "content-length"]
            length = {name.lower(): value for name, value in answered.headers}.get("content-length")
            is_head = self.command == "HEAD"
            lines.append(f"content-length: {length if is_head and length else len(answered.body)}")
            body = b"" if is_head else answered.body[: answered.cut]
            self.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
            self.close_connection = answered.cut is not None

    httpd = _Server(("127.0.0.1", 0), Handler)
    relay = Relay(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        httpd.shutdown()
        with lock:
            over = True
            ended = lock.wait_for(lambda: at_work == 0, timeout=60)
        httpd.server_close()
        assert ended, "a request is still at work"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away."""
