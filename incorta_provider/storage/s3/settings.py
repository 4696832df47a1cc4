"""Whether a bucket can be a target: it must keep versions, and keep them long enough."""

from __future__ import annotations

import logging
import re

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.s3.answers import ensure_document
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.lock import ObjectLock

log = logging.getLogger(__name__)

_EXPIRY = re.compile(r"<NoncurrentVersionExpiration>.*?<(?:NoncurrentDays|NewerNoncurrentVersions)>(\d+)<", re.DOTALL)


def ensure_fit(bucket: Bucket, lock: ObjectLock | None) -> None:
    """Refuse a bucket that cannot be a target, and warn of rules that remove versions behind our back.

    :raises ConfigurationError: versioning is off, or Object Lock is asked for and not on.
    """
    answer = bucket.send(Request("GET", query={"versioning": ""}, action="s3:GetBucketVersioning"))
    ensure_document(bucket, answer, "VersioningConfiguration")
    status = answer.body.decode("utf-8", "replace")
    if "<Status>Enabled</Status>" not in status:
        state = "suspended" if "<Status>Suspended</Status>" in status else "off"
        raise ConfigurationError(
            f"versioning of the bucket is {state}: what an apply replaces would be lost",
            where=bucket.label,
            fix="Turn versioning on (s3api put-bucket-versioning, Status=Enabled); nothing was written.",
        )
    if lock is not None and "<ObjectLockEnabled>Enabled</ObjectLockEnabled>" not in _setting(
        bucket, "object-lock", "s3:GetBucketObjectLockConfiguration"
    ):
        raise ConfigurationError(
            "the topology asks for Object Lock, and the bucket has none",
            where=bucket.label,
            fix="Make a bucket with Object Lock (it can be turned on later only at some servers), or drop object_lock.",
        )
    for finding in lifecycle_findings(bucket):
        log.warning("%s: %s", bucket.label, finding)


def lifecycle_findings(bucket: Bucket) -> list[str]:
    """Return what lifecycle rules do that a recovery point cannot bear."""
    rules = _setting(bucket, "lifecycle", "s3:GetLifecycleConfiguration").split("<Rule>")[1:]
    found = []
    for rule in rules:
        if "<Status>Enabled</Status>" not in rule:
            continue
        name = _named(rule)
        if expiry := _EXPIRY.search(rule):
            found.append(
                f"lifecycle rule {name} removes versions after {expiry[1]} day(s) or versions: "
                "recovery points older than that cannot be applied; keep it longer than the retention"
            )
        if re.search(r"<Expiration>.*?<(Days|Date)>", rule, re.DOTALL):
            found.append(f"lifecycle rule {name} deletes live objects: the replica will differ from its point")
    return found


def _named(rule: str) -> str:
    found = re.search(r"<ID>([^<]*)</ID>", rule)
    return repr(found[1]) if found else "without a name"


def _setting(bucket: Bucket, name: str, action: str) -> str:
    """Return one of the bucket's settings as XML; empty where there is none."""
    return bucket.send(Request("GET", query={name: ""}, action=action)).body.decode("utf-8", "replace")
