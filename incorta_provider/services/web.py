"""HTTP with a site's web applications: one deadline a request, answers of bounded size, errors that say what to do.

Credentials come from the connection alone: no proxy and no ``.netrc`` of the worker's environment is used. Bodies never
get into an error or a log, for some hold credentials.

:raises TransientError: no connection, no answer in time, a server error, or an answer that is not JSON.
:raises ConfigurationError: the connection's settings or the server's certificate.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.late import late

if TYPE_CHECKING:
    import httpx
else:
    httpx = late("httpx")

TIMEOUT = 20.0
MAX_BODY = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; the body is JSON or None."""

    status: int
    document: Any
    is_html: bool

    @property
    def needs_login(self) -> bool:
        """Whether this is what a session that ended gets: 401, a redirect, or the login page with status 200."""
        return self.status in {401, 302, 303, 307} or (self.status == 200 and self.is_html)


class WebClient:
    """A client of one web application; a context manager.

    :param info: host, port; extra ``scheme`` (``https``), ``verify`` (true), ``ca_file``.
    :param default_port: the port of an installation that nobody changed.
    :param timeout: seconds for one request from start to end.
    """

    def __init__(self, info: ConnectionInfo, default_port: int, timeout: float = TIMEOUT) -> None:
        info.require("host")
        scheme = info.extra.get("scheme") or "https"
        if scheme not in {"http", "https"}:
            raise _wrong_setting(info, f"scheme {scheme!r} is neither http nor https")
        host = f"[{info.host}]" if ":" in info.host else info.host
        self.place = f"{scheme}://{host}:{info.port or default_port}"
        self._timeout = timeout
        trust = _trust(info, scheme)
        try:
            self._client = httpx.Client(
                base_url=self.place, timeout=timeout, verify=trust, trust_env=False, follow_redirects=False
            )
        except httpx.InvalidURL as error:
            raise _wrong_setting(info, f"host {info.host!r} is no name of a host: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a path."""
        return self._send("GET", path, headers=dict(headers or {}))

    def post(
        self,
        path: str,
        *,
        document: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send JSON, or the fields of a form."""
        if form is not None:
            return self._send("POST", path, headers=dict(headers or {}), data=dict(form))
        return self.send("POST", path, document, headers)

    def send(self, method: str, path: str, document: object, headers: Mapping[str, str] | None = None) -> Answer:
        """Send JSON by any method."""
        return self._send(method, path, headers=dict(headers or {}), json=document)

    def expect(self, answer: Answer, what: str) -> dict[str, Any]:
        """Return the JSON object of a good answer.

        :param what: what was asked, for the error.
        """
        if answer.status != 200:
            raise self.problem(f"{what}: HTTP status {answer.status}")
        if not isinstance(answer.document, dict):
            raise self.problem(f"{what}: the answer is {'a page' if answer.is_html else 'no JSON object'}")
        return answer.document

    def problem(self, what: str) -> TransientError:
        """Return the error for an answer that may be better the next time."""
        return TransientError(what, where=self.place, fix="Is the service up, and is this its port? See its log.")

    def _send(self, method: str, path: str, **options: Any) -> Answer:
        deadline = time.monotonic() + self._timeout
        body = bytearray()
        try:
            with self._client.stream(method, path, **options) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if time.monotonic() > deadline or len(body) > MAX_BODY:
                        raise self.problem(f"{method} {path}: the answer has no end")
        except httpx.HTTPError as error:
            raise self._failed(error, f"{method} {path}") from error
        return Answer(response.status_code, _json(body), "html" in response.headers.get("content-type", "").lower())

    def _failed(self, error: httpx.HTTPError, what: str) -> DrError:
        if isinstance(error, httpx.TimeoutException):
            return self.problem(f"{what}: no answer within {self._timeout:g} s")
        if _is_about_certificate(error):
            return ConfigurationError(
                f"the certificate is not trusted: {error}",
                where=self.place,
                fix="Set ca_file in the connection's extra field to the CA that signed it.",
            )
        return self.problem(f"{what}: {str(error) or type(error).__name__}")


def _trust(info: ConnectionInfo, scheme: str) -> ssl.SSLContext | bool:
    """Return what a server's certificate must be signed by.

    Reading the machine's own authorities takes a twentieth of a second of processor, so it is not done for plain HTTP,
    which gets a context that trusts nobody, and only once for HTTPS: who polls opens a client each time.
    """
    if scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if info.extra.get("verify") is False:
        return False
    ca_file = info.extra.get("ca_file")
    if not ca_file:
        return _trusting(None, 0)
    if not (path := Path(str(ca_file))).is_file():
        raise _wrong_setting(info, f"there is no ca_file {ca_file}")
    try:
        return _trusting(str(path), path.stat().st_mtime_ns)
    except ssl.SSLError as error:
        raise _wrong_setting(info, f"ca_file {ca_file} holds no certificate: {error.reason}") from None


@lru_cache(maxsize=16)
def _trusting(ca_file: str | None, _changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _wrong_setting(info: ConnectionInfo, what: str) -> ConfigurationError:
    return ConfigurationError(what, where=f"connection {info.conn_id}", fix="Correct it under Admin > Connections.")


def _is_about_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _json(body: bytearray) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
