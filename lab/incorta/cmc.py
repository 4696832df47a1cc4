"""The Cluster Management Console: shows the site's cluster, with the traps that the real one has.

A status comes as a string or as an object, by release; a session that ended gets the login page with status 200; the
cluster's JSON holds the credentials of the metadata database.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pymysql

from lab.incorta import tokens
from lab.incorta.database import connect
from lab.incorta.home import Home
from lab.incorta.registry import Registry, registry
from lab.incorta.scheduler import NODE as SCHEDULER_NODE
from lab.incorta.settings import NodeSettings
from lab.incorta.web import Request, Response, Route, html_response, json_response, serving

NAME = "cmc"
_LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Incorta CMC</title></head><body>Please sign in.</body></html>"


@contextmanager
def cmc(_: Home, settings: NodeSettings) -> Iterator[None]:
    """Run the CMC while the block runs; it starts without a quorum or a database too, and shows what it finds."""
    with ExitStack() as parts:
        session = parts.enter_context(registry(settings.zookeeper, settings.cluster))
        console = Console(settings, session)
        parts.enter_context(serving(settings.cmc_port, console.routes()))
        yield


@dataclass(frozen=True, slots=True)
class Console:
    """The web application of the CMC."""

    settings: NodeSettings
    registry: Registry = field(repr=False)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def routes(self) -> list[Route]:
        """Return everything that the CMC answers."""
        return [
            Route("GET", "/cmc/api/v1/auth/login", self.login),
            Route("GET", "/cmc/api/v1/clusters/([^/]+)", self.cluster),
            Route("GET", "/cmc/?", lambda _: html_response(_LOGIN_PAGE)),
        ]

    def login(self, request: Request) -> Response:
        """Log in by Basic authentication and get a token."""
        account = self.settings.cmc
        expected = base64.b64encode(f"{account.login}:{account.password}".encode()).decode()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not secrets.compare_digest(given.strip(), expected):
            return json_response({"message": "wrong login or password"}, 401)
        token = tokens.issue(self.secret, account.login, time.time() + self.settings.session_seconds)
        return json_response({"token": token, "expires_in": self.settings.session_seconds})

    def cluster(self, request: Request) -> Response:
        """Show the cluster; without a session that is good, the login page."""
        if not tokens.is_valid(self.secret, request.bearer(), time.time()):
            return html_response(_LOGIN_PAGE)
        if request.groups[0] != self.settings.cluster:
            return json_response({"message": f"no cluster {request.groups[0]}"}, 404)
        return json_response(self._cluster())

    def _cluster(self) -> dict[str, Any]:
        database = self.settings.database
        return {
            "name": self.settings.cluster,
            "scheduler_started": self.registry.read(SCHEDULER_NODE) is not None,
            "database": {
                "type": "mysql",
                "url": f"jdbc:mysql://{database.host}:{database.port}/{database.schema}",
                "username": database.user,
                "password": database.password,
            },
            "zookeeper": self.settings.zookeeper,
            "tenants": self._tenants(),
            "nodes": [self._node(name) for name in self.settings.nodes],
        }

    def _node(self, name: str) -> dict[str, Any]:
        found = self.registry.read(f"nodes/{name}")
        services = found["services"] if found else []
        return {
            "name": name,
            "host": "127.0.0.1",
            "status": "Connected" if found else "Disconnected",
            "node_version": found["release"] if found else None,
            "services": [self._service(service) for service in services],
        }

    def _service(self, service: dict[str, str]) -> dict[str, Any]:
        state = service["state"]
        shown = {"statusType": state, "message": service["reason"]} if self.settings.status_as_object else state
        return {"name": service["name"], "status": shown, "reason": service["reason"]}

    def _tenants(self) -> list[dict[str, Any]]:
        try:
            with closing(connect(self.settings.database)) as session, session.cursor() as cursor:
                cursor.execute("SELECT NAME, PATH, ENABLED FROM TENANT ORDER BY NAME")
                rows = cursor.fetchall()
        except pymysql.MySQLError:
            return []
        return [{"name": name, "path": path, "enabled": bool(enabled)} for name, path, enabled in rows]
