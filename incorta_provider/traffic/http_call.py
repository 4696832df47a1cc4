"""A request to a web service that sends people to a site, such as the API of a load balancer.

The connection has host, port, and the extras of :mod:`incorta_provider.services.web`. Login and password are sent as
HTTP Basic; a password alone is sent as a bearer token. Answers never get into an error: some hold credentials.

:raises TransientError: no answer, a server error, or an answer without the value.
:raises ConfigurationError: the login is refused, or there is no such path.
"""

from __future__ import annotations

import base64

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.traffic import HttpCall, State
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.services.web import Answer, WebClient
from incorta_provider.traffic.doer import Doer

DEFAULT_PORT = 443
_OURS = frozenset({400, 401, 403, 404, 405, 422})
"""Statuses that the same request gets again: the request, the login or the path is wrong."""


class RequestToService(Doer):
    """One request that sets the value, and one that reads it."""

    def __init__(self, call: HttpCall, info: ConnectionInfo) -> None:
        super().__init__(call.name, f"connection {info.conn_id}", call.seconds)
        self._call = call
        self._info = info

    def read(self) -> State | None:
        """Return the value that stands at the key; None when there is none."""
        reading = self._call.get
        with self._client() as client:
            answer = client.get(reading.path, self._headers())
            self._ensure_good(client, answer, f"GET {reading.path}")
            if answer.document is None:
                raise client.problem(f"GET {reading.path}: the answer is {'a page' if answer.is_html else 'no JSON'}")
        value = answer.document
        for key in reading.key:
            value = value.get(key) if isinstance(value, dict) else None
        return None if value is None else {"value": value if isinstance(value, str) else str(value)}

    def write(self, state: State | None) -> None:
        """Send the request that sets the value."""
        if state is None:
            raise ConfigurationError(
                f"traffic {self.name} had no value before, and there is no request that removes one",
                where=self.place,
                fix="Remove it by hand.",
            )
        wanted = self._call.set
        with self._client() as client:
            answer = client.send(wanted.method, wanted.path, self._call.body(state["value"]), self._headers())
            self._ensure_good(client, answer, f"{wanted.method} {wanted.path}")

    def _client(self) -> WebClient:
        return WebClient(self._info, DEFAULT_PORT)

    def _headers(self) -> dict[str, str]:
        login, password = self._info.login, self._info.password
        if login:
            return {"Authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}
        return {"Authorization": f"Bearer {password}"} if password else {}

    def _ensure_good(self, client: WebClient, answer: Answer, what: str) -> None:
        if 200 <= answer.status < 300:
            return
        if answer.status in _OURS:
            raise ConfigurationError(
                f"traffic {self.name}: {what}: HTTP status {answer.status}",
                where=self.place,
                fix="Correct the request in the topology, or login and password of the connection.",
            )
        raise client.problem(f"traffic {self.name}: {what}: HTTP status {answer.status}")
