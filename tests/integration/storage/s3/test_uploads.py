"""Large objects whose upload in parts somebody ends, or whose answers get lost: against the real server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.storage.s3 import objects
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.facts import SHA256
from incorta_provider.storage.s3.objects import Written
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.s3_relay import Answered, Asked, Forward, Relay, plain, refused

pytestmark = pytest.mark.lab

MIB = 1 << 20
OLD = b"the version before"
NEW = bytes(range(256)) * (11 * MIB // 256)
"""Three parts: the server wants 5 MiB of each but the last."""

Upload = Callable[[Bucket], Written | None]


@pytest.fixture
def site(s3_server: CephS3) -> TestBucket:
    """Make a bucket whose key ``a`` has a version already, as every key has that is replicated again."""
    site = make_bucket(s3_server)
    site.put({"a": OLD}, Metadata={"incorta-sha256": hashlib.sha256(OLD).hexdigest()})
    site.put({"source": NEW})
    return site


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", 5 * MIB)
    monkeypatch.setattr(objects, "COPY_BYTES", 6 * MIB)
    monkeypatch.setattr(objects, "COPY_PART_BYTES", 5 * MIB)


@pytest.fixture(params=["sent", "copied"])
def upload(request: pytest.FixtureRequest, tmp_path: Path, site: TestBucket) -> Upload:
    """Return what writes the large object to the key ``a``, from here or on the server."""
    headers = {SHA256: hashlib.sha256(NEW).hexdigest()}

    def send(bucket: Bucket) -> Written:
        (tmp_path / "big").write_bytes(NEW)
        with (tmp_path / "big").open("rb") as file:
            return objects.put_in_parts(bucket, b"root/a", file, len(NEW), hashlib.sha256(NEW).digest(), headers)

    def copy(bucket: Bucket) -> Written | None:
        return objects.copy(bucket, b"root/a", (site.name, b"root/source", None), len(NEW), headers)

    return send if request.param == "sent" else copy


def is_last(asked: Asked) -> bool:
    """Tell whether a request completes an upload."""
    return asked.method == "POST" and "uploadId=" in asked.target


UNKNOWN = refused(404, "NoSuchUpload")
"""What S3 answers where an upload is not there any more. Ceph 16 says for ever that its completion is in progress."""


@pytest.mark.parametrize("moment", ["second part", "end"])
def test_an_upload_that_somebody_gives_up_is_not_taken_for_done(
    site: TestBucket, relay: Relay, upload: Upload, moment: str
) -> None:
    """The key has a version already, which must not get the new one's digest."""

    def give_up(asked: Asked, forward: Forward) -> Answered | None:
        if not (is_last(asked) if moment == "end" else "partNumber=2" in asked.target):
            return forward(asked.body)
        relay.rule = plain
        (number,) = parse_qs(urlsplit(asked.target).query)["uploadId"]
        site.sdk.abort_multipart_upload(Bucket=site.name, Key="root/a", UploadId=number)
        return UNKNOWN if moment == "end" else forward(asked.body)

    relay.rule = give_up
    with pytest.raises(TransientError, match="root/a in parts was ended by somebody else"):
        upload(site.bucket(endpoint=relay.endpoint))
    assert site.content()[b"a"] == OLD
    written = upload(site.bucket(endpoint=relay.endpoint))
    assert written is not None
    assert site.content()[b"a"] == NEW
    assert site.head("a")["VersionId"] == written.version.decode()


@pytest.mark.parametrize("then", ["done", "done and forgotten", "not done"])
def test_the_last_request_of_an_upload_that_fails_is_done_once(
    site: TestBucket, relay: Relay, upload: Upload, then: str
) -> None:
    """The server may have done it before it said 500: then the version that it made is the one that is taken."""

    def fail(asked: Asked, forward: Forward) -> Answered | None:
        if not is_last(asked):
            return forward(asked.body)
        relay.rule = plain if then != "done and forgotten" else forgotten
        if then != "not done":
            forward(asked.body)
        return refused(500, "InternalError")

    relay.rule = fail
    written = upload(site.bucket(endpoint=relay.endpoint))
    assert written is not None
    found = site.sdk.list_object_versions(Bucket=site.name, Prefix="root/a")["Versions"]
    assert [one["Size"] for one in found] == [len(NEW), len(OLD)]
    assert found[0]["VersionId"] == written.version.decode()
    assert site.content()[b"a"] == NEW
    assert "Uploads" not in site.sdk.list_multipart_uploads(Bucket=site.name)


def forgotten(asked: Asked, forward: Forward) -> Answered | None:
    return UNKNOWN if is_last(asked) else forward(asked.body)


def test_a_lost_answer_and_a_version_of_somebody_else_are_told_apart(
    site: TestBucket, relay: Relay, upload: Upload
) -> None:
    other = os.urandom(len(NEW))

    def fail(asked: Asked, forward: Forward) -> Answered | None:
        if not is_last(asked):
            return forward(asked.body)
        relay.rule = forgotten
        forward(asked.body)
        site.put({"a": other}, Metadata={"incorta-sha256": hashlib.sha256(other).hexdigest()})
        return refused(500, "InternalError")

    relay.rule = fail
    with pytest.raises(TransientError, match="root/a in parts was ended by somebody else"):
        upload(site.bucket(endpoint=relay.endpoint))
    assert site.content()[b"a"] == other


def test_a_page_that_names_no_upload_is_no_answer(site: TestBucket, relay: Relay, upload: Upload) -> None:
    def page(asked: Asked, forward: Forward) -> Answered | None:
        return Answered(200, [], b"<html>welcome</html>") if "uploads=" in asked.target else forward(asked.body)

    relay.rule = page
    with pytest.raises(TransientError, match="no S3 server answers a write with success, and no id of the upload"):
        upload(site.bucket(endpoint=relay.endpoint))
    assert [asked.method for asked in relay.seen] == ["POST"]
