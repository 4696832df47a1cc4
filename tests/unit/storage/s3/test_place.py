"""Where a URL leads, and which paths can be keys."""

from __future__ import annotations

import pytest

from incorta_provider.exceptions import ConfigurationError, IntegrityError
from incorta_provider.storage.s3.place import Place, parse_place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://bucket", Place("aws_default", "bucket")),
        ("s3://bucket/a/b", Place("aws_default", "bucket", b"a/b/")),
        ("s3://aws_dr@bucket/a%20b/", Place("aws_dr", "bucket", b"a b/")),
        ("s3://one%40two@my.bucket-1/", Place("one@two", "my.bucket-1")),
    ],
)
def test_a_url_is_read(url: str, place: Place) -> None:
    assert parse_place(url) == place


@pytest.mark.parametrize("url", ["s3:///a", "s3://@bucket/a", "s3://b u/a", "s3://bucket/a?b", "s3://bucket:80/a"])
def test_what_means_nothing_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="for example s3://"):
        parse_place(url)


def test_paths_and_keys_are_each_others() -> None:
    place = Place("c", "b", b"root/")
    assert place.path(place.key("ü/x".encode())) == "ü/x".encode()


@pytest.mark.parametrize(("path", "why"), [(b"not-\xff", "not UTF-8"), (b"n" * 1020, "1025 bytes are more than")])
def test_what_can_be_no_key_is_refused_by_name(path: bytes, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        Place("c", "b", b"root/").key(path)


@pytest.mark.parametrize(
    ("prefix", "around"),
    [
        (b"", []),
        (b"a/", [b".incorta-dr/replica.json"]),
        (b"a/b c/", [b".incorta-dr/replica.json", b"a.incorta-dr/replica.json"]),
    ],
)
def test_the_marks_of_what_a_prefix_lies_in(prefix: bytes, around: list[bytes]) -> None:
    place = Place("c", "b", prefix)
    assert place.marks_around == around
    inside = place.key(b"t/acme.incorta-dr/replica.json")
    assert [place.is_mark_inside(key) for key in (inside, place.mark, place.key(b"t/replica.json"))] == [
        True,
        False,
        False,
    ]
    assert inside < place.key(b"t/acme/")
