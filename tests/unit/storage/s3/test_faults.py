"""Every refusal is said in words that help."""

from __future__ import annotations

import pytest

from incorta_provider.exceptions import ConfigurationError, DrError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage.s3.faults import fault, refusal


def raised(code: str, status: int = 400, *, of_object: bool = False, headers: dict[str, str] | None = None) -> DrError:
    body = f"<Error><Code>{code}</Code><Message>why</Message></Error>".encode() if code else b""
    found = refusal(status, headers or {}, body, action="", what="a/b", method="GET")
    return fault(found, "s3://c@b/", of_object=of_object)


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        ("SlowDown", 503, TransientError, "for now"),
        ("InternalError", 500, TransientError, "for now"),
        ("BadDigest", 400, TransientError, "for now"),
        ("AccessDenied", 403, ConfigurationError, "s3:GetObject on a/b is not allowed"),
        ("InvalidAccessKeyId", 403, ConfigurationError, "keys of the connection"),
        ("SignatureDoesNotMatch", 403, ConfigurationError, "keys of the connection"),
        ("ExpiredToken", 400, ConfigurationError, "have expired"),
        ("NoSuchBucket", 404, ConfigurationError, "no such bucket"),
        ("RequestTimeTooSkewed", 403, ConfigurationError, "clocks"),
        ("KeyTooLongError", 400, IntegrityError, "does not accept the key"),
        ("InvalidObjectState", 403, IntegrityError, "archive"),
        ("QuotaExceeded", 403, PreconditionError, "bucket is full"),
        ("MethodNotAllowed", 405, ConfigurationError, "MethodNotAllowed: why"),
        ("", 403, ConfigurationError, "not allowed"),
        ("", 503, TransientError, "for now"),
        ("", 301, ConfigurationError, "another region"),
    ],
)
def test_codes(code: str, status: int, kind: type[DrError], words: str) -> None:
    error = raised(code, status)
    assert type(error) is kind
    assert words in error.what
    assert error.where == "s3://c@b/"
    assert error.fix


def test_an_object_of_the_source_that_may_not_be_read_voids_the_point() -> None:
    assert isinstance(raised("AccessDenied", 403, of_object=True), IntegrityError)


def test_the_right_region_is_named() -> None:
    error = raised("PermanentRedirect", 301, headers={"x-amz-bucket-region": "eu-west-1"})
    assert "in region eu-west-1" in error.what
    assert "region_name to eu-west-1" in error.fix


def test_both_clocks_are_told() -> None:
    error = raised("RequestTimeTooSkewed", 403, headers={"date": "Sat, 28 Nov 2026 11:00:00 GMT"})
    assert "the server has 11:00:00, this worker" in error.what
