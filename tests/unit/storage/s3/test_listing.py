"""Pages that no listing can have: from a server that is played."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.s3.access import Access, Keys
from incorta_provider.storage.s3.bucket import Answer, Bucket, Request
from incorta_provider.storage.s3.listing import pages, versions
from incorta_provider.storage.s3.place import Place

ALWAYS_MORE = 50
"""No listing of a test has as many pages."""


class Played(Bucket):
    """A bucket whose listing is these pages, the last one for ever."""

    def __init__(self, *bodies: str) -> None:
        super().__init__(Place("aws", "b"), Access(ConnectionInfo("aws"), "http://127.0.0.1:1/b", "x", Keys("", "")))
        self._bodies = list(bodies)
        self.asked: list[Request] = []

    def send(self, request: Request) -> Answer:
        self.asked.append(request)
        assert len(self.asked) < ALWAYS_MORE, "it asks for ever"
        body = self._bodies.pop(0) if len(self._bodies) > 1 else self._bodies[0]
        return Answer(200, {}, body.encode())


def keys_page(*keys: str, token: str = "") -> str:
    contents = "".join(
        f"<Contents><Key>{key}</Key><Size>1</Size><LastModified>2026-11-28T12:47:58.123Z</LastModified>"
        f"<ETag>e</ETag></Contents>"
        for key in keys
    )
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return f"<ListBucketResult>{more}{contents}</ListBucketResult>"


def versions_page(*found: str, more: bool = False) -> str:
    """Return a page of ``key version``, with a ``*`` behind the latest."""
    parts = "".join(
        f"<Version><Key>{key}</Key><VersionId>{version.rstrip('*')}</VersionId>"
        f"<IsLatest>{str(version.endswith('*')).lower()}</IsLatest><Size>1</Size>"
        f"<LastModified>2026-11-28T12:47:58.123Z</LastModified><ETag>e</ETag></Version>"
        for key, version in (one.split() for one in found)
    )
    return f"<ListVersionsResult><IsTruncated>{str(more).lower()}</IsTruncated>{parts}</ListVersionsResult>"


def listed(bucket: Bucket) -> Iterator[str]:
    return (one.key.decode() for page in pages(bucket) for one in page)


def listed_versions(bucket: Bucket) -> list[str]:
    return [f"{one.key.decode()} {one.version.decode()}" for one in versions(bucket)]


def test_a_page_without_keys_is_gone_past() -> None:
    bucket = Played(keys_page("a", token="1"), keys_page(token="2"), keys_page(token="3"), keys_page("b"))
    assert list(listed(bucket)) == ["a", "b"]
    assert [request.query and request.query.get("continuation-token") for request in bucket.asked] == [
        None,
        b"1",
        b"2",
        b"3",
    ]


def test_what_comes_behind_a_page_without_keys_still_must_come_after_what_was_before_it() -> None:
    bucket = Played(keys_page("b", token="1"), keys_page(token="2"), keys_page("a"))
    with pytest.raises(IntegrityError, match="a comes after b"):
        list(listed(bucket))


def test_pages_without_keys_do_not_go_on_for_ever() -> None:
    with pytest.raises(IntegrityError, match="never tells it"):
        list(listed(Played(keys_page("a", token="1"), keys_page(token="1"))))


def test_a_page_that_is_told_twice_is_refused() -> None:
    bucket = Played(keys_page("a", "b", token="1"), keys_page("a", "b", token="1"))
    with pytest.raises(IntegrityError, match="a comes after b"):
        list(listed(bucket))


def test_versions_of_one_key_may_stand_on_two_pages() -> None:
    bucket = Played(versions_page("a 3*", "a 2", more=True), versions_page("a 1", "b 1*"))
    assert listed_versions(bucket) == ["a 3", "a 2", "a 1", "b 1"]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (["b 1*", "c 1*"], "a version of b comes twice"),
        (["a 1*", "b 1*", "c 1*"], "a comes after b"),
        (["b 0", "a 1*", "c 1*"], "a comes after b"),
        (["c 1*", "b 0"], "b comes after c"),
        (["b 2*", "c 1*"], "a version of b comes twice"),
        (["c 1*", "c 1*"], "a version of c comes twice"),
    ],
    ids=["overlap of one", "overlap of all", "a step back", "disorder", "two that are the latest", "in one page"],
)
def test_a_page_of_versions_that_steps_back_is_refused(second: list[str], words: str) -> None:
    """A key that came twice would be taken for two, and an apply would remove what it has too many."""
    bucket = Played(versions_page("a 1*", "b 1*", more=True), versions_page(*second))
    with pytest.raises(IntegrityError, match=f"the listing of the bucket is incomplete: {words}"):
        listed_versions(bucket)


@pytest.mark.parametrize("page", [["a 1*", "b 1*"], ["a 2*", "a 1"]], ids=["keys", "one key"])
def test_a_page_of_versions_that_is_told_for_ever_is_refused(page: list[str]) -> None:
    with pytest.raises(IntegrityError, match="incomplete"):
        listed_versions(Played(versions_page(*page, more=True)))


def test_versions_after_a_key_may_begin_with_its_own() -> None:
    assert [one.key for one in versions(Played(versions_page("a 1", "b 1*")), after=b"a")] == [b"a", b"b"]
    with pytest.raises(IntegrityError, match="a comes after b"):
        list(versions(Played(versions_page("a 1*", "c 1*")), after=b"b"))
