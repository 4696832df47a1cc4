"""What a connection's extra means for TLS; that it holds is tried at a real server in tests/integration/metadata."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.tls import Mode, Tls, tls_of


def info(extra: dict[str, Any]) -> ConnectionInfo:
    return ConnectionInfo("berlin_metadata", "mysql", "db.example", login="incorta", schema="incorta", extra=extra)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, None),
        ({"ssl": {}}, None),
        ({"ssl": {"ca": "/ca.pem"}, "ssl_mode": "disabled"}, None),
        ({"ssl_mode": "REQUIRED"}, Tls(Mode.REQUIRED)),
        ({"ssl_mode": "verify_identity"}, Tls(Mode.VERIFY_IDENTITY)),
        ({"ssl": {"ca": "/ca.pem"}}, Tls(Mode.VERIFY_IDENTITY, ca="/ca.pem")),
        ({"ssl": '{"ca": "/ca.pem"}'}, Tls(Mode.VERIFY_IDENTITY, ca="/ca.pem")),
        ({"ssl": {"ca": "/ca.pem"}, "ssl_mode": "VERIFY_CA"}, Tls(Mode.VERIFY_CA, ca="/ca.pem")),
        ({"ssl": {"ca": "", "cert": "/c.pem", "key": "/k"}}, Tls(Mode.REQUIRED, cert="/c.pem", key="/k")),
        ({"ssl": {"ca": "~/ca.pem"}}, Tls(Mode.VERIFY_IDENTITY, ca=str(Path.home() / "ca.pem"))),
    ],
)
def test_the_most_that_can_be_checked_is(extra: dict[str, Any], expected: Tls | None) -> None:
    assert tls_of(info(extra)) == expected
    assert Endpoint.from_connection(info(extra)).tls == expected


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"ssl_mode": "PREFERRED"}, "ssl_mode is 'PREFERRED', and DISABLED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY are"),
        ({"ssl": {"ca": "/ca.pem", "cipher": "x", "capath": "/"}}, "ssl has cipher, capath, and only ca, cert, key"),
        ({"ssl": {"key": "/k"}}, "ssl names a key and no cert"),
        ({"ssl": ["/ca.pem"]}, "ssl is not a JSON object"),
        ({"ssl": "/ca.pem"}, "ssl is not a JSON object"),
    ],
)
def test_what_would_hold_for_nothing_is_refused(extra: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tls_of(info(extra))
    assert said in caught.value.what
    assert caught.value.where == "connection berlin_metadata"


@pytest.mark.parametrize("field", ["ca", "cert"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_cannot_be_used_is_named(field: str, content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "file.pem"
    if content:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=f"TLS cannot use {path}"):
        Tls(Mode.REQUIRED, **{field: str(path)}).context()


@pytest.mark.parametrize(
    ("mode", "verified", "by_name"),
    [
        (Mode.REQUIRED, ssl.CERT_NONE, False),
        (Mode.VERIFY_CA, ssl.CERT_REQUIRED, False),
        (Mode.VERIFY_IDENTITY, ssl.CERT_REQUIRED, True),
    ],
)
def test_each_mode_checks_what_its_name_says(mode: Mode, verified: ssl.VerifyMode, by_name: bool) -> None:
    context = Tls(mode).context()
    assert (context.verify_mode, context.check_hostname) == (verified, by_name)
