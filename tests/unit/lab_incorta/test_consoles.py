"""The traps of the CMC and of Analytics that only another setting, or another moment, shows."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.exceptions import ConfigurationError
from lab.incorta.analytics import Application
from lab.incorta.cmc import Console
from lab.incorta.settings import NodeSettings, load_settings, parse_settings
from lab.incorta.web import Request, Response

DOCUMENT: dict[str, Any] = {
    "site": "berlin",
    "node": "node1",
    "release": "2025.7.0",
    "cluster": "acme",
    "tenant": "acme",
    "storage": "/lab/berlin/storage/Tenants",
    "outbox": "/lab/berlin/outbox.jsonl",
    "zookeeper": "127.0.0.1:1",
    "database": {"host": "127.0.0.1", "port": 1, "user": "incorta", "password": "s3cret", "schema": "incorta"},
    "ports": {"agent": 2},
    "cmc": {"port": 3, "login": "admin", "password": "s3cret"},
    "analytics": {"login": "admin", "password": "s3cret"},
    "nodes": [{"node": "node1", "ports": {"agent": 2}}, {"node": "node2", "ports": {"agent": 4}}],
    "values": {"tenants_path": "/lab/berlin/storage/Tenants", "cmc_url": "http://127.0.0.1:3", "smtp_host": "mail"},
}


class FakeRegistry:
    """Knows one node, whose Loader failed."""

    def read(self, name: str) -> dict[str, Any] | None:
        service = {"name": "loaderService", "state": "Failed", "reason": "a file is missing"}
        return {"release": "2025.7.0", "services": [service]} if name == "nodes/node1" else None


def settings(**console: object) -> NodeSettings:
    return parse_settings({**DOCUMENT, "cmc": {**DOCUMENT["cmc"], **console}})


def request(*groups: str, **headers: str) -> Request:
    return Request(groups, {}, headers, b"")


def cluster(console: Console) -> Response:
    basic = base64.b64encode(b"admin:s3cret").decode()
    token = Request((), {}, {"authorization": f"Basic {basic}"}, b"")
    issued = json.loads(console.login(token).body)["token"]
    return console.cluster(request("acme", authorization=f"Bearer {issued}"))


@pytest.mark.parametrize(
    ("as_object", "status"),
    [(True, {"statusType": "Failed", "message": "a file is missing"}), (False, "Failed")],
)
def test_the_status_has_the_form_of_the_release(as_object: bool, status: object) -> None:
    found = json.loads(cluster(Console(settings(status_as_object=as_object), FakeRegistry())).body)
    assert found["nodes"][0]["services"] == [{"name": "loaderService", "status": status, "reason": "a file is missing"}]
    assert (found["nodes"][1]["status"], found["nodes"][1]["services"]) == ("Disconnected", [])
    assert found["scheduler_started"] is False
    assert found["tenants"] == []


def test_a_session_that_ended_gets_the_login_page_with_status_200() -> None:
    answer = cluster(Console(settings(session_seconds=0), FakeRegistry()))
    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")


def test_the_api_is_closed_until_the_data_are_open() -> None:
    application = Application(settings())
    routes = {route.pattern: route.answer for route in application.routes()}
    answer = routes["/incorta/api/v2/([^/]+)/schema/list"](request("acme", authorization="Bearer s3cret"))
    assert answer.status == 503
    assert application.is_logged_in(request()).status == 200


def test_secrets_do_not_show() -> None:
    assert "s3cret" not in repr(settings())
    assert "s3cret" not in repr(Console(settings(), FakeRegistry()))


@pytest.mark.parametrize("text", ["", "[]", '{"site": "berlin"}'])
def test_settings_that_lack_something_are_refused(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "IncortaNode"
    folder.mkdir()
    (folder / "node.json").write_text(text)
    with pytest.raises(ConfigurationError, match="cannot read the settings of the node"):
        load_settings(tmp_path)


def test_a_home_without_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_settings(tmp_path)
