"""Requests to one bucket: signed, paced, tried again while that may help, each refusal in the project's words.

Made for many small objects: a request costs a fifth of the SDK's processor time. For many threads; in another process
it connects again.

:raises DrError: of every call, see :mod:`incorta_provider.storage.s3.faults`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from incorta_provider.exceptions import DrError, TransientError
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.s3.access import Access, Keys
from incorta_provider.storage.s3.faults import ABSENT, CHANGED, EXPIRED, SLOW, fault, refusal
from incorta_provider.storage.s3.keyring import KeyRing
from incorta_provider.storage.s3.pace import Pace, backoff
from incorta_provider.storage.s3.place import Place
from incorta_provider.storage.s3.signing import EMPTY_SHA256, UNSIGNED, query_string, quoted_key, sign
from incorta_provider.storage.s3.unreachable import unreachable
from incorta_provider.storage.s3.wire import Response, Wire

PATIENCE_SECONDS = 60.0
"""How long a request is tried again. If a storm of refusals lasts longer, the task fails, and Airflow tries it
again."""

_IS_ERROR = re.compile(rb"\s*(?:<\?[^>]*>\s*)?<Error[\s>]")
_FAIL_LATE = frozenset({"PUT", "POST"})
"""A copy, the end of an upload and a deletion of many may answer 200 first and fail after that; the body says so. The
body of a GET is somebody's object, which may say anything."""

_WITHOUT_REASON = frozenset({400, 403})
"""A HEAD that is refused with one of these has no body that says why, so a GET of one byte asks for the reason."""


class Answer(NamedTuple):
    """What the server said; as the request a tuple, which is made in a third of the time.

    :param code: empty for success, else S3's error code: of an absent or a changed object, nothing else gets here.
    :param stream: pieces of a body that was not read yet.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    code: str = ""
    stream: Response | None = None

    @property
    def etag(self) -> str:
        """The ETag, without its quotes."""
        return self.headers.get("etag", "").strip('"')


class Request(NamedTuple):
    """One request.

    :param key: None for one about the bucket.
    :param action: the permission that it needs, where the method does not say it.
    :param of_object: it reads an object of the source, so that a refusal voids the recovery point.
    :param stream: leave the body of the answer to the caller.
    """

    method: str
    key: bytes | None = None
    query: Mapping[str, str | bytes] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    action: str = ""
    of_object: bool = False
    stream: bool = False


class Bucket:
    """One bucket."""

    def __init__(self, place: Place, access: Access, *, patience: float = PATIENCE_SECONDS) -> None:
        self.place = place
        self.access = access
        self._patience = patience
        self._root = urlsplit(access.base).path
        self._wire = Wire(access)
        self._keys = KeyRing(access.info, access.keys)
        self._pace = Pace()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what opens it: connections stay."""
        return Bucket, (self.place, self.access)

    @property
    def label(self) -> str:
        """Its address, for messages."""
        return self.place.label

    def send(self, request: Request) -> Answer:
        """Return the answer to a request."""
        deadline = time.monotonic() + self._patience
        attempt = 0
        while True:
            self._pace.wait()
            outcome = self._try(request)
            if isinstance(outcome, Answer):
                self._pace.faster()
                return outcome
            if isinstance(outcome, TransientError) and time.monotonic() < deadline:
                time.sleep(backoff(attempt))
                alive()
                attempt += 1
                continue
            raise outcome

    def _try(self, request: Request) -> Answer | DrError:
        try:
            keys = self._keys.current()
        except TransientError as error:
            return error
        try:
            response = self._exchange(request, keys)
            if response.status < 300:
                body = b"" if request.stream else response.read()
                if request.method in _FAIL_LATE and _IS_ERROR.match(body):
                    return self._refused(request, response, body, keys)
                return Answer(response.status, response.headers, body, "", response if request.stream else None)
            body = response.read()
        except (OSError, ValueError) as error:
            return unreachable(error, self._wire.host, self.label)
        return self._refused(request, response, body, keys)

    def _refused(self, request: Request, response: Response, body: bytes, keys: Keys) -> Answer | DrError:
        if request.method == "HEAD" and response.status in _WITHOUT_REASON:
            return self._refused_head(request)
        what = self.label if request.key is None else request.key.decode(errors="backslashreplace")
        found = refusal(
            response.status, response.headers, body, action=request.action, what=what, method=request.method
        )
        if found.code in ABSENT | CHANGED or response.status == 304:
            return Answer(response.status, response.headers, b"", found.code or "NotModified")
        if found.code in SLOW:
            self._pace.slower()
        if found.code in EXPIRED and keys.renewable:
            self._keys.expired(keys)
            return TransientError("the keys have expired", where=self.label, fix="Retry: new ones are fetched.")
        return fault(found, self.label, of_object=request.of_object)

    def _refused_head(self, request: Request) -> Answer | DrError:
        """Return why a HEAD was refused."""
        answer = self._try(request._replace(method="GET", headers={"range": "bytes=0-0"}, action="s3:GetObject"))
        if isinstance(answer, Answer) and not answer.code:
            what = f"the server refused a HEAD of {request.key!r}, and a moment later allowed its GET"
            return TransientError(what, where=self.label, fix="Retry.")
        return answer

    def _exchange(self, request: Request, keys: Keys) -> Response:
        path = f"{self._root}/{quoted_key(request.key)}" if request.key is not None else self._root or "/"
        query = query_string(request.query) if request.query else ""
        headers = dict(request.headers or {})
        size = len(request.body)
        if keys.access:
            payload = UNSIGNED if size else EMPTY_SHA256
            signed = (keys.access, keys.secret, keys.token)
            sign(request.method, (self._wire.host, path, query), headers, signed, self.access.region, payload)
        else:
            headers["host"] = self._wire.host
        if size or request.method in {"PUT", "POST"}:
            headers["content-length"] = str(size)
        return self._wire.exchange(request.method, f"{path}?{query}" if query else path, headers, request.body)
