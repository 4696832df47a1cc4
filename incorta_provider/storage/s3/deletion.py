r"""One request that deletes up to a thousand keys or versions, and what the server says to each of them.

A key that XML cannot hold, or would change, is deleted by a request of its own: a parser makes ``\n`` of each ``\r``,
and the answer would tell success for another key.

:raises TransientError: the server was busy with some of them until the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

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


def delete_some(bucket: Bucket, versions: Sequence[tuple[bytes, bytes | None]]) -> list[str]:
    """Delete what the server lets go, and return each that it refused, with its code.

    :param versions: keys, each with its version or None; at most a thousand.
    """
    refused = [why for one in versions if not fits(one[0]) and (why := _delete_alone(bucket, *one))]
    left = [one for one in versions if fits(one[0])]
    busy: dict[tuple[bytes, bytes], str] = {}
    for attempt in range(_TRIES):
        if busy:
            time.sleep(backoff(attempt))
            alive()
        errors = dict(_ask(bucket, left)) if left else {}
        busy = {one: code for one, code in errors.items() if code in TRANSIENT}
        refused += [_named(key, code) for (key, _), code in errors.items() if code not in TRANSIENT | GONE]
        if not busy:
            return refused
        left = [(key, version) for key, version in left if (key, version or b"") in busy] or left
    names = "\n  ".join(_named(key, code) for (key, _), code in list(busy.items())[:_SHOWN])
    raise TransientError(
        f"the server did not delete {len(busy)} object(s) for now:\n  {names}",
        where=bucket.label,
        fix="Retry later; what is deleted stays deleted.",
    )


def _ask(bucket: Bucket, versions: Sequence[tuple[bytes, bytes | None]]) -> Iterator[tuple[tuple[bytes, bytes], str]]:
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
        yield (key.encode(), version.encode()), code


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
