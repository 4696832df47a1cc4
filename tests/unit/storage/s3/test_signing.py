"""Our signature is the one that the SDK makes of the same request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from incorta_provider.storage.s3 import signing

HOST = "s3.example.com:9000"
NOW = "20261128T130000Z"


@pytest.mark.parametrize(
    "key", [b"plain/key", b"blank and +%26&<>'\"#?", "ü/é表".encode(), b"*~!()[]{}$,;:@=", b"a//b/"]
)
@pytest.mark.parametrize("token", [None, "a token"])
@pytest.mark.parametrize("query", [{}, {"versionId": "x/y+z="}, {"uploads": ""}, {"list-type": "2", "prefix": "a b+"}])
def test_it_signs_as_the_sdk_does(
    monkeypatch: pytest.MonkeyPatch, key: bytes, token: str | None, query: dict[str, str]
) -> None:
    monkeypatch.setattr(signing.time, "strftime", lambda *_: NOW)
    monkeypatch.setattr("botocore.auth.get_current_datetime", _fixed)
    path, text = f"/bucket/{signing.quoted_key(key)}", signing.query_string(query)
    headers = {"x-amz-meta-b": "two  blanks", "content-md5": "abc=="}
    signing.sign("PUT", (HOST, path, text), headers, ("AK", "SK", token), "eu-west-1", signing.UNSIGNED)
    assert headers["authorization"] == _by_the_sdk(path, text, token)


def _by_the_sdk(path: str, query: str, token: str | None) -> str:
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    headers = {"x-amz-meta-b": "two  blanks", "content-md5": "abc==", "X-Amz-Content-SHA256": signing.UNSIGNED}
    request = AWSRequest("PUT", url, headers, data=b"body")
    request.context["payload_signing_enabled"] = False
    auth = S3SigV4Auth(Credentials("AK", "SK", token), "s3", "eu-west-1")
    auth._should_sha256_sign_payload = lambda _: False
    auth.add_auth(request)
    return str(request.headers["Authorization"])


def _fixed(*_: Any, **__: Any) -> Any:
    return datetime.strptime(NOW, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
