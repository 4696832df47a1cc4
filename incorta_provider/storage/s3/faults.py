"""From an S3 error to the error family: what was refused, on which key, and what a person can do.

The codes are those of "Error responses" in the S3 API reference. What is about one object that the source must give
(:data:`OBJECT_ACTIONS`) voids the recovery point, as a file does that may not be read; the rest concerns the bucket,
the account or the endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from incorta_provider.exceptions import ConfigurationError, DrError, IntegrityError, PreconditionError, TransientError

TRANSIENT = frozenset(
    {
        "SlowDown",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestLimitExceeded",
        "InternalError",
        "InternalFailure",
        "RequestTimeout",
        "OperationAborted",
        "BadDigest",
        "InvalidDigest",
        "XAmzContentSHA256Mismatch",
        "IncompleteBody",
        "ConcurrentModification",
    }
)
"""May pass by itself: tried again. A digest that does not fit is damage on the way."""

SLOW = frozenset({"SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "TooManyRequests"})
EXPIRED = frozenset({"ExpiredToken", "TokenRefreshRequired", "ExpiredTokenException", "RequestExpired"})
ABSENT = frozenset(
    {
        "NoSuchKey",
        "NoSuchVersion",
        "NotFound",
        "NoSuchUpload",
        "NoSuchLifecycleConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "NoSuchTagSet",
        "NoSuchTagSetError",
    }
)
CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})

_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId"})
_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "Forbidden", "AccountProblem", "UnauthorizedAccess"})
_NAMES = frozenset({"KeyTooLongError", "KeyTooLong", "InvalidObjectName", "InvalidURI"})
_FULL = frozenset({"QuotaExceeded", "EntityTooLarge", "InsufficientCapacity"})
_ACTIONS = {"HEAD": "s3:GetObject", "GET": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
_FIELD = {name: re.compile(f"<{name}>([^<]*)</{name}>") for name in ("Code", "Message", "Region", "Key")}
_BY_STATUS = {
    301: "PermanentRedirect",
    307: "OperationAborted",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NotFound",
    408: "RequestTimeout",
    409: "OperationAborted",
    412: "PreconditionFailed",
    416: "PreconditionFailed",
    429: "TooManyRequests",
    500: "InternalError",
    502: "ServiceUnavailable",
    503: "SlowDown",
    504: "ServiceUnavailable",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than success.

    :param code: S3's, or what stands for it by the status of an answer without a body.
    :param action: the permission that the request needs.
    :param what: the key or the bucket, for messages.
    """

    status: int
    code: str
    message: str
    action: str
    what: str
    region: str = ""
    date: str = ""


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, action: str, what: str, method: str = ""
) -> Refusal:
    """Read an answer other than success."""
    text = body.decode("utf-8", "replace")
    fields = {name: (found[1] if (found := pattern.search(text)) else "") for name, pattern in _FIELD.items()}
    code = fields["Code"] or _BY_STATUS.get(status, f"status {status}")
    region = fields["Region"] or headers.get("x-amz-bucket-region", "")
    message = fields["Message"] or text[:200]
    return Refusal(status, code, message, action or _ACTIONS.get(method, ""), what, region, headers.get("date", ""))


def fault(found: Refusal, where: str, *, of_object: bool = False) -> DrError:
    """Return what to raise.

    :param where: the bucket's address.
    :param of_object: an object of the source cannot be read: the recovery point is void.
    """
    code = found.code
    if code in TRANSIENT or found.status >= 500:
        return TransientError(
            f"the server refused {found.what} for now: {_said(found)}",
            where=where,
            fix="Retry later; what was copied is not copied again.",
        )
    if code in _DENIED:
        kind = IntegrityError if of_object else ConfigurationError
        fix = f"Allow {found.action} there to the identity of the connection"
        return kind(
            f"{found.action} on {found.what} is not allowed ({code})",
            where=where,
            fix=f"{fix}, or exclude it in the topology." if of_object else f"{fix}.",
        )
    if code in _REGION or found.status == 301:
        return _wrong_region(found, where)
    if code in EXPIRED:
        return ConfigurationError(
            f"the credentials of the connection have expired: {_said(found)}",
            where=where,
            fix="Renew the session token in the connection, or let it assume a role, which renews itself; then clear "
            "the task: what was copied is not copied again.",
        )
    if code == "RequestTimeTooSkewed":
        return _wrong_clock(found, where)
    return _of_the_rest(found, where)


def _of_the_rest(found: Refusal, where: str) -> DrError:
    code = found.code
    if code in _KEYS:
        return ConfigurationError(
            f"the keys of the connection are not valid here: {_said(found)}",
            where=where,
            fix="Correct access key and secret key of the connection, and see that its endpoint is the right one.",
        )
    if code == "NoSuchBucket":
        return ConfigurationError(
            "there is no such bucket", where=where, fix="Correct the URL in the topology, or make the bucket."
        )
    if code in _NAMES:
        return IntegrityError(
            f"the server does not accept the key {found.what}: {_said(found)}",
            where=where,
            fix="Rename it at the source, or exclude it in the topology.",
        )
    if code in _FULL:
        return PreconditionError(f"the bucket is full: {_said(found)}", where=where, fix="Raise the quota, then retry.")
    if code == "InvalidObjectState":
        return IntegrityError(
            f"{found.what} is in an archive and cannot be read",
            where=where,
            fix="Restore it from the archive, or exclude it in the topology.",
        )
    return ConfigurationError(
        f"the server refused {found.what}: {_said(found)}",
        where=where,
        fix="See what the message names; is the endpoint of the connection an S3 server?",
    )


def _wrong_region(found: Refusal, where: str) -> ConfigurationError:
    place = f"region {found.region}" if found.region else "another region"
    return ConfigurationError(
        f"the bucket is in {place} ({found.code})",
        where=where,
        fix=f"Set region_name{f' to {found.region}' if found.region else ''} and endpoint_url of the connection to it.",
    )


def _wrong_clock(found: Refusal, where: str) -> ConfigurationError:
    ours = datetime.now(UTC)
    theirs = parsedate_to_datetime(found.date) if found.date else None
    apart = f"; the server has {theirs:%H:%M:%S}, this worker {ours:%H:%M:%S} UTC" if theirs else ""
    return ConfigurationError(
        f"the clocks of this worker and of the server are too far apart{apart}",
        where=where,
        fix="Compare both with a third clock, and set the wrong one by NTP: here, or at the server if it is yours.",
    )


def _said(found: Refusal) -> str:
    return f"{found.code}: {found.message}" if found.message else found.code
