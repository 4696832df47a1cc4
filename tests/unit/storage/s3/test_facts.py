"""What an object says of itself."""

from __future__ import annotations

from incorta_provider.dr.diff import same_mtime
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.s3.facts import carried, modified_ms, mtime_ns, mtime_of, of_entry, proven_sha256

MD5 = "0" * 31 + "1"
ENTRY = Entry(b"a", Kind.FILE, 1, 5, 0o640, b"\1" * 32)


def test_times_of_listings_are_read() -> None:
    assert modified_ms("1970-01-01T00:00:01.234Z") == 1234
    assert modified_ms("1970-01-01T00:00:01Z") == 1000
    assert modified_ms("1970-01-01T00:00:01.2Z") == 1200


def test_a_replacement_within_one_millisecond_shows() -> None:
    one, other = mtime_ns(1234, "aaa"), mtime_ns(1234, "bbb")
    assert one // 1_000_000 == other // 1_000_000 == 1234
    assert not same_mtime(one, other)
    assert same_mtime(one, 1_234_000_000)


def test_an_object_that_still_is_the_listed_one_has_the_listings_time() -> None:
    headers = {"last-modified": "Thu, 01 Jan 1970 00:00:01 GMT"}
    assert mtime_of(headers, "aaa", mtime_ns(1234, "aaa")) == mtime_ns(1234, "aaa")
    assert mtime_of(headers, "bbb", mtime_ns(1234, "aaa")) == mtime_ns(1000, "bbb")


def test_a_digest_beside_the_content_is_believed_only_with_its_etag() -> None:
    headers = of_entry(ENTRY, b"\1" * 32, MD5)
    assert proven_sha256(headers, MD5) == b"\1" * 32
    assert proven_sha256(headers, "f" * 32) is None
    assert proven_sha256(headers, MD5 + "-2") is None
    assert proven_sha256({**headers, "x-amz-server-side-encryption": "aws:kms"}, MD5) is None
    assert proven_sha256({}, MD5) is None


def test_a_copy_keeps_what_is_the_owners_and_not_what_is_ours() -> None:
    headers = {"x-amz-meta-colour": "blue", "content-type": "text/x", "etag": "1", **of_entry(ENTRY, b"\1" * 32, MD5)}
    assert carried(headers) == {"x-amz-meta-colour": "blue", "content-type": "text/x"}
