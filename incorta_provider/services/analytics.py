"""The Analytics service: is its web application up, does it let us in, and does it answer queries over the data.

The public API (version 2, from Incorta 6.0) takes a bearer token: a personal access token in the connection's extra
``token``, or what the login gives where it gives one.

:raises ConfigurationError: tenant, login, password or token is wrong, or there is no such schema.
:raises TransientError: the service is not up yet; see :mod:`incorta_provider.services.web`.
"""

from __future__ import annotations

from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.services.web import TIMEOUT, Answer, WebClient

DEFAULT_PORT = 8080
_REFUSED = frozenset({400, 401, 403})


class SchemaStatus(StrEnum):
    """How the last load of a schema ended, or that it goes on (Incorta's documentation of the public API)."""

    SUCCEEDED = "Succeeded"
    FINISHED_WITH_ERRORS = "Finished With Errors"
    FAILED = "Failed"
    INTERRUPTED = "Interrupted"
    IN_PROGRESS = "In Progress"
    IN_QUEUE = "In Queue"


LOADING = frozenset({SchemaStatus.IN_PROGRESS, SchemaStatus.IN_QUEUE})
"""While a load of the schema has not ended."""


class AnalyticsClient:
    """A client of one tenant; a context manager.

    :param info: an ``incorta_analytics`` connection.
    :param tenant: the tenant; the connection's schema field when it is empty.
    """

    def __init__(self, info: ConnectionInfo, tenant: str = "", timeout: float = TIMEOUT) -> None:
        info.require("login", "password")
        self._tenant = tenant or info.schema
        if not self._tenant:
            info.require("schema")
        self._info = info
        self._web = WebClient(info, DEFAULT_PORT, timeout)
        self._token = str(info.extra.get("token") or "")

    @classmethod
    def from_connection(cls, info: ConnectionInfo, tenant: str = "") -> Self:
        """Return the client that a connection describes."""
        return cls(info, tenant)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._web.__exit__(*error)

    def is_up(self) -> None:
        """Check that the web application answers; it does so before the data are open."""
        self._web.expect(self._web.get("/incorta/service/user/isLoggedIn"), "isLoggedIn")

    def login(self) -> None:
        """Log in with tenant, login and password."""
        form = {"tenant": self._tenant, "user": self._info.login, "pass": self._info.password}
        answer = self._web.post("/incorta/authservice/login", form=form)
        if answer.status in _REFUSED:
            raise self._refused(f"Analytics refuses the login of {self._info.login!r} to tenant {self._tenant!r}")
        document = self._web.expect(answer, "login to Analytics")
        if not self._info.extra.get("token"):
            self._token = str(document.get("accessToken") or "")

    def schemas(self) -> list[str]:
        """Return the names of the physical schemas; that the API answers at all proves that the data are open."""
        document = self._web.expect(self._call("GET", "schema/list"), "list of schemas")
        schemas = document.get("schemas")
        if not isinstance(schemas, list):
            raise self._web.problem("list of schemas: the answer holds none")
        return [str(schema.get("schemaName")) for schema in schemas if isinstance(schema, dict)]

    def schema_status(self, name: str) -> SchemaStatus:
        """Return how the last load of a schema ended.

        :raises ConfigurationError: there is no such schema, or its status is a word that is not known.
        """
        answer = self._call("GET", f"schema/{quote(name, safe='')}/status")
        status = str(self._known(answer, f"schema {name}").get("status"))
        if status not in SchemaStatus.__members__.values():
            raise ConfigurationError(
                f"schema {name} has the unknown status {status!r}", where=self._web.place, fix="Look at it in Incorta."
            )
        return SchemaStatus(status)

    def load_from_staging(self, name: str) -> None:
        """Ask Incorta to load a schema from its Parquet files; :meth:`schema_status` tells what came of it."""
        answer = self._call("POST", "schema/load", {"schemaName": name, "loadSource": "STAGING"})
        self._known(answer, f"schema {name}")

    def row_count(self, schema: str, table: str) -> int:
        """Count the rows of a table by a query."""
        answer = self._call("POST", "query", {"schema": schema, "table": table})
        rows = self._known(answer, f"table {schema}.{table}").get("rows")
        if not isinstance(rows, int):
            raise self._web.problem(f"table {schema}.{table}: the answer holds no row count")
        return rows

    def _known(self, answer: Answer, what: str) -> dict[str, Any]:
        if answer.status == 404:
            raise ConfigurationError(f"Analytics has no {what}", where=self._web.place, fix="Look at it in Incorta.")
        return self._web.expect(answer, what)

    def _call(self, method: str, path: str, document: object = None) -> Answer:
        """Call the public API; a session that ended is renewed once."""
        if not self._token:
            self.login()
        answer = self._send(method, path, document)
        if answer.needs_login and not self._info.extra.get("token"):
            self.login()
            answer = self._send(method, path, document)
        if answer.needs_login or answer.status == 403:
            raise self._refused("Analytics refuses the API token")
        return answer

    def _send(self, method: str, path: str, document: object) -> Answer:
        if not self._token:
            raise self._refused("Analytics gives no API token at the login")
        url = f"/incorta/api/v2/{quote(self._tenant, safe='')}/{path}"
        headers = {"Authorization": f"Bearer {self._token}"}
        return (
            self._web.get(url, headers) if method == "GET" else self._web.post(url, document=document, headers=headers)
        )

    def _refused(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            what,
            where=self._web.place,
            fix=f"Correct the connection {self._info.conn_id}; a personal access token goes into its extra token.",
        )
