"""The Analytics service: the web application, and the public API behind it.

Its web port answers before the data were looked at, as the real one's does: ``isLoggedIn`` proves that the web
application runs, and nothing more. The API answers 503 until the data are open; the status port opens only then.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

from lab.incorta import tokens
from lab.incorta.database import connect
from lab.incorta.home import Home
from lab.incorta.live import live_tables, table_files
from lab.incorta.loader import QUORUM_SECONDS
from lab.incorta.opening import open_site
from lab.incorta.registry import registry
from lab.incorta.settings import NodeSettings
from lab.incorta.web import Request, Response, Route, json_response, serving

NAME = "analyticsService"
TOKEN_SECONDS = 3600
_API = "/incorta/api/v2/([^/]+)"


@contextmanager
def analytics(_: Home, settings: NodeSettings) -> Iterator[None]:
    """Run Analytics while the block runs; entering refuses when the site's data do not belong together."""
    application = Application(settings)
    with ExitStack() as parts:
        parts.enter_context(serving(settings.ports["analytics"], application.routes()))
        parts.enter_context(registry(settings.zookeeper, settings.cluster, wait_seconds=QUORUM_SECONDS))
        open_site(settings)
        application.open.set()
        parts.enter_context(serving(settings.ports["analytics_status"], [Route("GET", "/.*", application.status)]))
        yield


@dataclass(slots=True)
class Application:
    """The web application of one node.

    :param open: set when the site's data were found to belong together.
    """

    settings: NodeSettings
    open: threading.Event = field(default_factory=threading.Event)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def routes(self) -> list[Route]:
        """Return everything that the web port answers."""
        return [
            Route("POST", "/incorta/authservice/login", self.login),
            Route("GET", "/incorta/service/user/isLoggedIn", self.is_logged_in),
            Route("GET", f"{_API}/schema/list", self._guarded(self.schema_list)),
            Route("GET", f"{_API}/schema/([^/]+)/status", self._guarded(self.schema_status)),
            Route("POST", f"{_API}/schema/load", self._guarded(self.schema_load)),
            Route("POST", f"{_API}/query", self._guarded(self.query)),
        ]

    def status(self, _: Request) -> Response:
        """Answer at the status port, which only a started service has."""
        return json_response({"service": NAME, "node": self.settings.node, "status": "Started"})

    def login(self, request: Request) -> Response:
        """Log in with the form fields ``tenant``, ``user`` and ``pass``: a session, and a token for the API."""
        form = request.form()
        account = self.settings.analytics
        if (form.get("tenant"), form.get("user"), form.get("pass")) != (
            self.settings.tenant,
            account.login,
            account.password,
        ):
            return json_response({"message": "wrong tenant, user or password"}, 401)
        token = tokens.issue(self.secret, account.login, time.time() + TOKEN_SECONDS)
        cookie = ("Set-Cookie", f"JSESSIONID={token}; Path=/incorta; HttpOnly")
        return json_response({"accessToken": token, "expiresIn": TOKEN_SECONDS}, headers=[cookie])

    def is_logged_in(self, request: Request) -> Response:
        """Say whether the session is logged in."""
        cookies = dict(
            part.strip().split("=", 1) for part in request.headers.get("cookie", "").split(";") if "=" in part
        )
        return json_response({"isLoggedIn": tokens.is_valid(self.secret, cookies.get("JSESSIONID", ""), time.time())})

    def schema_list(self, _: Request) -> Response:
        """List the physical schemas and how the last load of each ended."""
        rows = self._rows("SELECT SCHEMA_NAME, STATUS FROM SCHEMA_STATUS ORDER BY SCHEMA_NAME")
        return json_response(
            {"schemas": [{"schemaName": row[0], "status": row[1]} for row in rows], "total": len(rows)}
        )

    def schema_status(self, request: Request) -> Response:
        """Say how the last load of one schema ended, or that it goes on."""
        name = request.groups[1]
        rows = self._rows("SELECT STATUS FROM SCHEMA_STATUS WHERE SCHEMA_NAME = %s", name)
        if not rows:
            return json_response({"message": f"no schema {name}"}, 404)
        return json_response({"schemaName": name, "status": rows[0][0]})

    def schema_load(self, request: Request) -> Response:
        """Load a schema from staging: its snapshots are made again from the Parquet files."""
        from lab.incorta.rebuild import rebuild_schema  # noqa: PLC0415 - pyarrow takes long to import

        asked = request.json()
        if asked.get("loadSource") != "STAGING":
            return json_response({"message": "here only loadSource STAGING; the workload runs the other loads"}, 400)
        with closing(connect(self.settings.database)) as session:
            count = rebuild_schema(session, self.settings.storage, self.settings.tenant, str(asked.get("schemaName")))
        return json_response({"schemaName": asked.get("schemaName"), "status": "Succeeded", "tables": count})

    def query(self, request: Request) -> Response:
        """Count the rows of a table's live Parquet files; body ``{"schema": …, "table": …}``."""
        from lab.incorta.parquet import row_count  # noqa: PLC0415 - pyarrow takes long to import

        schema, name = (str(request.json().get(key)) for key in ("schema", "table"))
        with closing(connect(self.settings.database)) as session:
            found = [table for table in live_tables(session, schema) if table.name == name]
            if not found:
                return json_response({"message": f"no table {schema}.{name}"}, 404)
            paths = [self.settings.storage / record.path for record in table_files(session, found[0])]
        return json_response({"rows": row_count(paths), "commit": found[0].version})

    def _guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """Let only open data, known tenants and good tokens through."""

        def guarded(request: Request) -> Response:
            if not self.open.is_set():
                return json_response({"message": "the engine is starting"}, 503)
            if not self._is_good(request.bearer()):
                return json_response({"message": "no valid bearer token"}, 401)
            if request.groups[0] != self.settings.tenant:
                return json_response({"message": f"no tenant {request.groups[0]}"}, 404)
            return answer(request)

        return guarded

    def _is_good(self, token: str) -> bool:
        """Take a token of a login, or the administrator's personal access token."""
        personal = secrets.compare_digest(token.encode(), self.settings.analytics.password.encode())
        return personal or tokens.is_valid(self.secret, token, time.time())

    def _rows(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        with closing(connect(self.settings.database)) as session, session.cursor() as cursor:
            cursor.execute(statement, values)
            return [tuple(row) for row in cursor.fetchall()]
