"""Ways to copy a large file with its digest and a proof, in processor seconds a gigabyte.

    python -m tests.benchmarks.ways_to_copy FOLDER [ROUNDS]

The ways take turns on files of 64 MB in ``FOLDER``, which should be on a disk; the lowest of each counts, because other
work on the machine only ever adds. What the kernel's own threads do, such as writing to the disk, is not in it.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa

from incorta_provider.storage.digests import PART_BYTES
from incorta_provider.storage.durable import start_write_back
from incorta_provider.storage.local.copy import WRITE_BACK_BYTES

SIZE = 64 << 20

Way = Callable[[int, int], None]
"""Copies ``SIZE`` bytes from one open file to another."""


def digest_alone(source: int, _: int) -> None:
    sha, data = hashlib.sha256(), memoryview(bytearray(PART_BYTES))
    while os.readv(source, [data]):
        sha.update(data)


def copy_by_kernel(source: int, target: int) -> None:
    """Do what ``cp`` does."""
    while os.copy_file_range(source, target, SIZE):
        pass


def read_and_write(source: int, target: int, part: int = PART_BYTES) -> None:
    """Do what ours does: read, digest, write, read back and compare a part at a time."""
    sha = hashlib.sha256()
    there, back = bytearray(part), bytearray(part)
    for offset in range(0, SIZE, part):
        os.readv(source, [there])
        sha.update(there)
        os.write(target, there)
        os.preadv(target, [back], offset)
        assert back == there
        _begin(target, offset + part)


def with_room_first(source: int, target: int) -> None:
    """Do the same in a file whose blocks were allocated before."""
    os.posix_fallocate(target, 0, SIZE)
    read_and_write(source, target)


def from_a_map(source: int, target: int, piece: int = 2 << 20) -> None:
    """Digest and write what is mapped, then read back: one copy through memory less."""
    sha, back = hashlib.sha256(), bytearray(PART_BYTES)
    for offset in range(0, SIZE, piece):
        mapped = pa.py_buffer(_map(source, offset, piece))
        for at in range(0, piece, PART_BYTES):
            part = mapped.slice(at, PART_BYTES)
            sha.update(part)
            os.write(target, part)
            os.preadv(target, [back], offset + at)
            assert part.equals(pa.py_buffer(back))
        _begin(target, offset + piece)


def kernel_and_maps(source: int, target: int, piece: int = 8 << 20) -> None:
    """Let the kernel copy, then digest the source and compare both as they are mapped."""
    sha = hashlib.sha256()
    for offset in range(0, SIZE, piece):
        left = piece
        while left:
            left -= os.copy_file_range(source, target, left)
        there = pa.py_buffer(_map(source, offset, piece))
        sha.update(there)
        assert there.equals(pa.py_buffer(_map(target, offset, piece)))
        _begin(target, offset + piece)


WAYS: dict[str, Way] = {
    "digest alone": digest_alone,
    "copy by the kernel alone": copy_by_kernel,
    "ours": read_and_write,
    "ours, parts of 512 KB": partial(read_and_write, part=512 << 10),
    "ours, blocks allocated first": with_room_first,
    "from a map of the source": from_a_map,
    "copy by the kernel, then maps of both": kernel_and_maps,
}


def _map(handle: int, offset: int, size: int) -> mmap.mmap:
    flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
    return mmap.mmap(handle, size, flags=flags, prot=mmap.PROT_READ, offset=offset)


def _begin(target: int, written: int) -> None:
    if written % WRITE_BACK_BYTES == 0:
        start_write_back(target, written - WRITE_BACK_BYTES, WRITE_BACK_BYTES)


def measured(way: Way, source: Path, target: Path) -> float:
    """Return the seconds of processor for a gigabyte."""
    with source.open("rb", buffering=0) as there, target.open("xb+", buffering=0) as copy:
        began = time.thread_time()
        way(there.fileno(), copy.fileno())
        took = time.thread_time() - began
    assert way is digest_alone or target.stat().st_size == SIZE
    target.unlink()
    return took / SIZE * 1e9


def main(folder: Path, rounds: int) -> None:
    """Print what each way takes."""
    source, target = folder / "source", folder / "target"
    source.write_bytes(os.urandom(SIZE))
    times = [{name: measured(way, source, target) for name, way in WAYS.items()} for _ in range(rounds)]
    source.unlink()
    for name in WAYS:
        print(f"{min(took[name] for took in times):.2f} {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 15)
