"""Whether what was answered can be an S3 server's answer: an error page of a proxy with status 200 is no object.

S3 says in the body of its answer that a key is not there (``NoSuchKey``). A 404 without that comes from what stands
between, a load balancer for example, and says nothing of the object. See "Error responses" in the S3 API reference.

:raises TransientError: it is not, or the write was not done: tried again, nothing is believed.
"""

from __future__ import annotations

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.s3.bucket import Answer, Bucket, Request
from incorta_provider.storage.s3.faults import CHANGED
from incorta_provider.storage.tree import Missed

GONE = frozenset({"NoSuchKey", "NoSuchVersion"})
"""How S3 itself says that an object, or a version of it, is not there."""

_PROXY = "Look for a proxy or a load balancer between this worker and the server, then retry."


def head_of(bucket: Bucket, key: bytes) -> Answer | Missed:
    """Ask about an object of the source; where that says gone, ask again in a way that is answered with a body."""
    answer = bucket.send(Request("HEAD", key, of_object=True))
    if not answer.code:
        ensure_object(bucket, key, answer)
        return answer
    reason = bucket.send(Request("GET", key, headers={"range": "bytes=0-0"}, of_object=True))
    return missed(bucket, key, reason) if reason.code else Missed.UNSETTLED


def missed(bucket: Bucket, key: bytes, answer: Answer) -> Missed:
    """Return why an object was not read, for a GET that was answered with a code."""
    if answer.code in GONE:
        return Missed.VANISHED
    if answer.code in CHANGED:
        return Missed.UNSETTLED
    raise _foreign(bucket, key, f"a read with status {answer.status} ({answer.code})")


def ensure_object(bucket: Bucket, key: bytes, answer: Answer) -> None:
    """Refuse a success that lacks what each object has."""
    headers = answer.headers
    if not answer.etag or "last-modified" not in headers or "content-length" not in headers:
        raise _foreign(bucket, key, f"a read with status {answer.status} and without an ETag, a time or a length")


def ensure_document(bucket: Bucket, answer: Answer, name: str) -> None:
    """Refuse an answer about the bucket that is not the document that was asked for."""
    if f"<{name}".encode() not in answer.body:
        said = f"a question for {name} with status {answer.status} and something else"
        raise TransientError(f"no S3 server answers {said}", where=bucket.label, fix=_PROXY)


def ensure_range(bucket: Bucket, key: bytes, answer: Answer, first: int, last: int) -> None:
    """Refuse what is not the bytes that were asked for."""
    if answer.status != 206 or not answer.headers.get("content-range", "").startswith(f"bytes {first}-{last}/"):
        raise TransientError(
            f"bytes {first:,} to {last:,} of {shown(key)} were asked for, and others are sent: Range is ignored",
            where=bucket.label,
            fix=_PROXY,
        )


def ensure_written(bucket: Bucket, key: bytes, answer: Answer) -> None:
    """Refuse a write that was answered as if something was absent or had changed."""
    if answer.code == "NoSuchUpload":
        raise TransientError(
            f"the upload of {shown(key)} in parts was ended by somebody else",
            where=bucket.label,
            fix="Look for a lifecycle rule or a person that gives up uploads in the bucket, then retry.",
        )
    if answer.code:
        raise _foreign(bucket, key, f"a write with status {answer.status} ({answer.code})")


def told(bucket: Bucket, key: bytes, value: str, what: str) -> str:
    """Return a value that S3 tells in each answer to such a write, and refuse one that is empty."""
    if not value:
        raise _foreign(bucket, key, f"a write with success, and no {what}")
    return value


def _foreign(bucket: Bucket, key: bytes, answered: str) -> TransientError:
    return TransientError(f"{shown(key)}: no S3 server answers {answered}", where=bucket.label, fix=_PROXY)
