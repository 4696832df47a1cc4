"""What file systems tell of a file's version, in all the ways in which they do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from incorta_provider.storage.fsspec_facts import mode_of, version_ns

NOON = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)
NS = int(NOON.timestamp()) * 10**9


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"mtime": NOON}, NS),
        ({"mtime": NOON.timestamp() + 0.5}, NS + 500_000_000),
        ({"mtime": NOON.replace(microsecond=123456)}, NS + 123_456_000),
        ({"modify": "20261129120000"}, NS),
        ({"modify": "20261129120000.25"}, NS + 250_000_000),
        ({"modificationTime": int(NOON.timestamp()) * 1000 + 7}, NS + 7_000_000),
        ({"last_modified": NOON.replace(tzinfo=None)}, NS),
        ({"updated": "2026-11-29T12:00:00.125Z"}, NS + 125_000_000),
        ({"Last-Modified": "Sun, 29 Nov 2026 12:00:00 GMT"}, NS),
        ({"mtime": None, "created": NOON}, NS),
    ],
)
def test_times_under_all_their_names(info: dict[str, Any], expected: int) -> None:
    assert version_ns(info) == expected


@pytest.mark.parametrize("name", ["etag", "ETag", "generation", "version_id", "checksum", "md5Hash"])
def test_a_check_sum_or_a_version_stands_for_a_time_that_is_not_told(name: str) -> None:
    one, two = version_ns({name: "1"}), version_ns({name: "2"})
    assert one is not None
    assert one != two
    assert one == version_ns({name: "1"})
    assert one % 10 == 1


@pytest.mark.parametrize("info", [{}, {"mtime": None}, {"modify": "Nov 29 08:30"}, {"modify": "20261399000000"}])
def test_what_is_not_told(info: dict[str, Any]) -> None:
    """FTP without MLSD tells what ``ls -l`` prints: whole minutes, and no year."""
    assert version_ns(info) is None


@pytest.mark.parametrize(("info", "expected"), [({"mode": 0o104755}, 0o755), ({"mode": 0o43775}, 0o775), ({}, 0o640)])
def test_bits_that_mean_something_only_with_the_owner_are_left_out(info: dict[str, Any], expected: int) -> None:
    assert mode_of(info, 0o640) == expected
