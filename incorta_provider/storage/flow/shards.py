"""Split a large copy into shards for tasks of their own, which may run on several workers.

A shard is a range of the paths that are to be copied, so that its index is in path order like that of a whole pass. The
ranges are cut so that the bytes and the number of files together are alike: a file costs time by itself, also an empty
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.workspace import Pass
from incorta_provider.storage.flow.progress import Total
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_manifest

MAX_SHARDS = 64


@dataclass(frozen=True, slots=True)
class ShardSize:
    """What one task copies at most, as long as :data:`MAX_SHARDS` do for all."""

    files: int
    size: int

    def count(self, total: Total) -> int:
        """Return in how many shards to split a copy; 0 when it is not worth a split."""
        needed = max(-(-total.files // self.files), -(-total.size // self.size))
        return min(needed, MAX_SHARDS) if needed > 1 else 0


def split(entries: Iterable[Entry], total: Total, count: int) -> Iterator[tuple[int, Entry]]:
    """Yield each entry with the number of its shard, from 0, without gaps; entries and numbers only grow.

    :param entries: files in path order, of ``total`` in all.
    :param count: shards at most: a file that is larger than a shard's share leaves fewer.
    """
    share = 0.0
    number = last = -1
    for entry in entries:
        weight = (entry.size / total.size if total.size else 0.0) + 1 / total.files
        wanted = int((share + weight / 2) / 2 * count)  # all weights add up to 2
        if wanted > last:
            number, last = number + 1, wanted
        yield number, entry
        share += weight


def write_shards(files: Pass, total: Total, count: int) -> list[int]:
    """Write what a pass has pending into shards, and return their numbers.

    :param total: what is pending.
    :param count: shards at most.
    """
    dealt = split(read_manifest(files.pending), total, count)
    numbers = []
    for number, entries in groupby(dealt, key=lambda one: one[0]):
        with ManifestWriter(files.shard(number).pending) as writer:
            writer.extend(entry for _, entry in entries)
        numbers.append(number)
    return numbers
