from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.flow.progress import Total
from incorta_provider.storage.flow.shards import MAX_SHARDS, ShardSize, split

GB = 10**9


def files(*sizes: int) -> list[Entry]:
    return [Entry(b"f%06d" % number, Kind.FILE, size, 1, 0o644) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("total", "count"),
    [
        (Total(10, 0), 0),
        (Total(1000, 50 * GB), 0),
        (Total(1001, 1), 2),
        (Total(1, 50 * GB + 1), 2),
        (Total(2500, 500 * GB), 10),
        (Total(10**9, 1), MAX_SHARDS),
    ],
)
def test_a_copy_is_split_when_it_is_larger_than_a_shard(total: Total, count: int) -> None:
    assert ShardSize(files=1000, size=50 * GB).count(total) == count


def test_files_alike_are_dealt_out_evenly() -> None:
    entries = files(*[100] * 1000)
    dealt = Counter(number for number, _ in split(entries, Total(1000, 100_000), 4))
    assert dealt == {0: 250, 1: 250, 2: 250, 3: 250}


def test_small_and_large_files_are_balanced_by_both() -> None:
    entries = files(*[1] * 900, *[1000] * 100)
    total = Total(1000, sum(entry.size for entry in entries))
    dealt = list(split(entries, total, 4))
    weights = Counter()
    for number, entry in dealt:
        weights[number] += entry.size / total.size + 1 / total.files
    assert set(weights) == {0, 1, 2, 3}
    assert all(weight == pytest.approx(0.5, abs=0.02) for weight in weights.values())


def test_one_huge_file_leaves_fewer_shards_without_a_gap() -> None:
    dealt = list(split(files(1, 1, 10**12, 1, 1), Total(5, 10**12 + 4), 8))
    assert [entry.path for _, entry in dealt] == [b"f%06d" % number for number in range(5)]
    numbers = [number for number, _ in dealt]
    assert numbers[0] == 0
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(max(numbers) + 1))
    assert len(set(numbers)) < 8


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=300), st.integers(2, MAX_SHARDS))
def test_every_file_is_in_one_range_and_no_shard_is_far_beyond_its_share(sizes: list[int], count: int) -> None:
    entries = files(*sizes)
    total = Total(len(sizes), sum(sizes))
    dealt = list(split(entries, total, count))
    assert [entry for _, entry in dealt] == entries
    numbers = [number for number, _ in dealt]
    assert numbers[0] == 0
    assert all(after - before in (0, 1) for before, after in pairwise(numbers))
    assert numbers[-1] < count
    heaviest = max(size / max(1, total.size) for size in sizes) + 1 / total.files
    for shard in set(numbers):
        own = [entry for number, entry in dealt if number == shard]
        weight = sum(entry.size for entry in own) / max(1, total.size) + len(own) / total.files
        assert weight <= 2 / count + heaviest + 1e-9
