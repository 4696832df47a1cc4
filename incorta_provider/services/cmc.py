"""The API of the Cluster Management Console: reading the state of a cluster.

``GET /cmc/api/v1/auth/login`` with Basic authentication gives a token; a session that ended gets the login page with
status 200, so the kind of the answer is looked at, never the status alone.

:raises ConfigurationError: login or password is wrong, or there is no such cluster.
:raises TransientError: the CMC is not up, or answers with a fault; see :mod:`incorta_provider.services.web`.
"""

from __future__ import annotations

import base64
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.services.cluster_state import ClusterState, parse_cluster
from incorta_provider.services.web import TIMEOUT, Answer, WebClient

_API = "/cmc/api/v1"
_TOKEN_KEYS = ("token", "access_token", "accessToken", "jwt")
DEFAULT_PORT = 6060


class CmcClient:
    """A client of one CMC; a context manager that logs in when it has to.

    :param info: an ``incorta_cmc`` connection.
    """

    def __init__(self, info: ConnectionInfo, timeout: float = TIMEOUT) -> None:
        info.require("login", "password")
        self._info = info
        self._web = WebClient(info, DEFAULT_PORT, timeout)
        self._token = ""

    @classmethod
    def from_connection(cls, info: ConnectionInfo) -> Self:
        """Return the client that a connection describes."""
        return cls(info)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._web.__exit__(*error)

    def login(self) -> None:
        """Log in; proves that the CMC is up and that the account is right."""
        credentials = base64.b64encode(f"{self._info.login}:{self._info.password}".encode()).decode()
        answer = self._web.get(f"{_API}/auth/login", {"Authorization": f"Basic {credentials}"})
        if answer.status in {401, 403}:
            raise ConfigurationError(
                f"the CMC refuses the login of {self._info.login!r}",
                where=self._web.place,
                fix=f"Correct login and password of the connection {self._info.conn_id}.",
            )
        token = _token(self._web.expect(answer, "login at the CMC"))
        if not token:
            raise self._web.problem("login at the CMC: the answer holds no token")
        self._token = token

    def cluster(self, name: str) -> ClusterState:
        """Return the state of a cluster; a session that ended is renewed once."""
        path = f"{_API}/clusters/{quote(name, safe='')}"
        if not self._token:
            self.login()
        answer = self._read(path)
        if answer.needs_login:
            self.login()
            answer = self._read(path)
        if answer.status == 404:
            raise ConfigurationError(
                f"the CMC knows no cluster {name!r}", where=self._web.place, fix="Correct cmc.cluster in the topology."
            )
        return parse_cluster(self._web.expect(answer, f"cluster {name} at the CMC"))

    def _read(self, path: str) -> Answer:
        return self._web.get(path, {"Authorization": f"Bearer {self._token}"})


def _token(document: dict[str, Any]) -> str:
    return next((str(document[key]) for key in _TOKEN_KEYS if document.get(key)), "")
