from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from tests.builders.ports import closed_port


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Said:
    status: int = 200
    document: Any = None
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Site:
    """A small web server on loopback that says what the test tells it to, and remembers what it was asked."""

    server: ThreadingHTTPServer
    answer: Callable[[Asked], Said] = lambda _: Said(404)
    asked: list[Asked] = field(default_factory=list)

    def info(self, **changes: Any) -> ConnectionInfo:
        fields: dict[str, Any] = {"login": "admin", "password": "Tr0ub4dor&3", "schema": "acme", **changes}
        extra = {"scheme": "http", **fields.pop("extra", {})}
        return ConnectionInfo("site", host="127.0.0.1", port=self.server.server_address[1], extra=extra, **fields)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            asked = Asked(self.command, self.path, dict(self.headers), body)
            found.asked.append(asked)
            said = found.answer(asked)
            payload = said.html.encode() if said.html else json.dumps(said.document).encode()
            self.send_response(said.status)
            self.send_header("Content-Type", "text/html; charset=utf-8" if said.html else "application/json")
            self.send_header("Content-Length", str(len(payload)))
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Site(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def free_port() -> Iterator[int]:
    """Lend a port at which nobody listens."""
    with closed_port() as port:
        yield port


@pytest.fixture
def says() -> type[Said]:
    return Said
