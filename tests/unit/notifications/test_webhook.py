"""People are told by a webhook; its path is a secret, and a webhook that is away fails nothing."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from incorta_provider.notifications.webhook import WebhookNotifier

PATH = "services/T0/B0/secret-of-the-webhook"


class Hook(HTTPServer):
    """A webhook that answers with one status."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def notifier(monkeypatch: pytest.MonkeyPatch, port: int, path: str = PATH) -> WebhookNotifier:
    fields = {"conn_type": "http", "host": "127.0.0.1", "port": port, "password": path, "extra": {"scheme": "http"}}
    monkeypatch.setenv("AIRFLOW_CONN_ACME_NOTIFY", json.dumps(fields))
    return WebhookNotifier(notify_conn_id="acme_notify", text="{{ site }} came back and was fenced")


def test_the_message_is_rendered_and_sent_to_the_secret_path(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    told: Any = notifier(monkeypatch, hook.server_port)
    told({"site": "berlin"})
    assert hook.got == [(f"/{PATH}", {"text": "berlin came back and was fenced"})]


@pytest.mark.parametrize("status", [403, 500])
def test_a_webhook_that_refuses_is_an_error_in_the_log(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    hook.status = status
    notifier(monkeypatch, hook.server_port).notify({})
    assert f"nobody was told: the webhook of acme_notify answered HTTP {status}" in caplog.text


def test_a_webhook_that_is_away_gives_its_path_to_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="incorta_provider")
    notifier(monkeypatch, 1).notify({})
    assert "nobody was told: POST /***" in caplog.text
    assert "secret" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("incorta")
    )


def test_a_webhook_without_a_path_that_is_away_is_named_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notifier(monkeypatch, 1, path="").notify({})
    assert "nobody was told: POST /: " in caplog.text


def test_a_connection_that_nobody_made_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    WebhookNotifier(notify_conn_id="no_such_connection", text="x").notify({})
    assert "nobody was told: there is no connection 'no_such_connection'" in caplog.text
