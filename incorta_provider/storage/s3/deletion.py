r"""One request that deletes up to a thousand keys or versions, and what the server says to each of them.

A key that XML cannot hold, or would change, is deleted by a request of its own: a parser makes ``\n`` of each ``\r``,
and the answer would tell success for another key.

:raises TransientError: the server was busy with some of them until the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.s3.answers import GONE, ensure_written, told
from incorta_provider.storage.s3.body_md5 import guard, md5_of
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.faults import TRANSIENT
from incorta_provider.storage.s3.markup import escaped, fits, unescaped, value_of
from incorta_provider.storage.s3.pace import backoff

_ACTION = "s3:DeleteObject"
_TRIES = 8
_SHOWN = 20

_Asked = tuple[bytes, bytes | None]
"""A key, and the version of it that is to go; None for the key itself, whose versions stay."""
_Error = tuple[bytes, bytes, str]
"""A key, a version or nothing, and S3's code."""


def delete_some(bucket: Bucket, versions: Sequence[tuple[bytes, bytes | None]]) -> list[str]:
    """Delete what the server lets go, and return each that it refused, with its code.

    Where the answer does not say which version of a key was refused, all of its versions that were asked for are.

    :param versions: keys, each with its version or None; at most a thousand.
    """
    refused = [why for one in versions if not fits(one[0]) and (why := _delete_alone(bucket, *one))]
    left = [one for one in versions if fits(one[0])]
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(backoff(attempt))
            alive()
        failed = _failed(left, _ask(bucket, left) if left else ())
        busy = {one: code for one, code in failed.items() if code in TRANSIENT}
        refused += [_named(one[0], code) for one, code in failed.items() if code not in TRANSIENT]
        if not busy:
            return refused
        left = list(busy)
    names = "\n  ".join(_named(key, code) for (key, _), code in list(busy.items())[:_SHOWN])
    raise TransientError(
        f"the server did not delete {len(busy)} object(s) for now:\n  {names}",
        where=bucket.label,
        fix="Retry later; what is deleted stays deleted.",
    )


def _failed(asked: Sequence[_Asked], errors: Iterable[_Error]) -> dict[_Asked, str]:
    """Return what was not deleted, each with the code that says why; of several a refusal counts.

    An error that names no version may mean any of the key, and one that names a key that nobody asked for, any of all.
    """
    failed: dict[_Asked, str] = {}
    for key, version, code in errors:
        if code in GONE:
            continue
        exact: list[_Asked] = [one for one in asked if version and one == (key, version)]
        for one in exact or [one for one in asked if one[0] == key] or asked:
            if one not in failed or failed[one] in TRANSIENT:
                failed[one] = code
    return failed


def _ask(bucket: Bucket, versions: Sequence[_Asked]) -> Iterator[_Error]:
    """Delete, and yield each key and version that the server did not, with the code that says why."""
    objects = "".join(
        f"<Object><Key>{escaped(key.decode())}</Key>"
        + (f"<VersionId>{version.decode()}</VersionId>" if version else "")
        + "</Object>"
        for key, version in versions
    )
    body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
    answer = bucket.send(Request("POST", None, {"delete": ""}, guard(md5_of(body)), body, action=_ACTION))
    first = versions[0][0]
    ensure_written(bucket, first, answer)
    text = answer.body.decode("utf-8", "replace")
    told(bucket, first, text if "<DeleteResult" in text else "", "list of what was deleted")
    for error in text.split("<Error>")[1:]:
        key, version, code = (unescaped(value_of(error, name)) for name in ("Key", "VersionId", "Code"))
        yield key.encode(), version.encode(), code


def _delete_alone(bucket: Bucket, key: bytes, version: bytes | None) -> str:
    """Delete one, and return why the server refused it."""
    query = {"versionId": version} if version else None
    try:
        answer = bucket.send(Request("DELETE", key, query, action=_ACTION))
    except ConfigurationError as error:
        return _named(key, error.what)
    if answer.code not in GONE:
        ensure_written(bucket, key, answer)
    return ""


def _named(key: bytes, code: str) -> str:
    return f"{shown(key)}: {code}"
