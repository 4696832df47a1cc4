"""A web server in a few lines: routes, JSON, one thread a request. No framework starts as fast.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` for a port that is taken.
"""

from __future__ import annotations

import json
import logging
import re
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from incorta_provider.exceptions import ConfigurationError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked.

    :param groups: the parts of the path that the route's pattern names by position.
    :param headers: names in lower case.
    """

    groups: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one for anything else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def form(self) -> dict[str, str]:
        """Return the body as the fields of a form."""
        return dict(parse_qsl(self.body.decode(errors="replace")))

    def bearer(self) -> str:
        """Return the bearer token, or nothing."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of request: ``pattern`` must match the whole path."""

    method: str
    pattern: str
    answer: Callable[[Request], Response] = field(repr=False)


def json_response(value: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """Return a JSON answer."""
    return Response(json.dumps(value, ensure_ascii=False).encode(), status, headers=headers)


def html_response(text: str, status: int = 200) -> Response:
    """Return a page."""
    return Response(text.encode(), status, "text/html; charset=utf-8")


@contextmanager
def serving(port: int, routes: Sequence[Route]) -> Iterator[None]:
    """Answer requests at a port of the loopback interface while the block runs.

    :raises ConfigurationError: the port is taken.
    """
    try:
        server = _Server(("127.0.0.1", port), _Handler)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen at port {port}: {error.strerror}",
            where=f"127.0.0.1:{port}",
            fix=f"`ss -ltnp 'sport = :{port}'` shows what is there.",
        ) from None
    server.routes = routes
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    routes: Sequence[Route] = ()

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
        for route in self.routes:
            match = re.fullmatch(route.pattern, path)
            if match and route.method == method:
                return route, match.groups()
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: a poll each second would drown everything else in the log."""

    def _answer(self, method: str) -> None:
        response = self._respond(method)
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def _respond(self, method: str) -> Response:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = self.server.find(method, unquote(address.path))
        if found is None:
            return json_response({"message": f"nothing at {method} {address.path}"}, 404)
        route, groups = found
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            return route.answer(Request(groups, dict(parse_qsl(address.query)), headers, body))
        except Exception as error:
            log.exception("%s %s", method, address.path)
            return json_response({"message": f"{type(error).__name__}: {error}"}, 500)
