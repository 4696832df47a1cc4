from __future__ import annotations

import pytest

from incorta_provider.dr.sizes import parse_size, shown_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20MB", 20_000_000),
        ("20 mb", 20_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("500kB", 500_000),
        ("2TB", 2 * 10**12),
        ("7", 7),
        (4096, 4096),
        ("12B", 12),
    ],
)
def test_a_size_is_a_number_with_a_unit(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "0MB", "-1", "20 MB/s", "20 Mbit", "1e6", "MB", "0.2"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 20MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (20_500_000, "20.5 MB"), (3e9, "3.0 GB"), (5e15, "5000.0 TB")],
)
def test_a_size_is_shown_with_the_unit_that_keeps_it_short(size: float, text: str) -> None:
    assert shown_size(size) == text
