"""Copy a part of what is pending, beside others that copy the rest, on whichever worker.

A pass that finds more than one task should copy writes what is pending into shards and copies nothing
(:mod:`incorta_provider.storage.flow.shards`). Each shard is copied under a lock of its own, into an index of its own;
the pass that follows takes what the indexes hold for staged, as it does with what a pass left that was cut off. So
nothing is lost when a shard fails, or is never copied at all.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying.room_on_the_way import ensure_room_on_the_way
from incorta_provider.storage.copying.staged_index import from_text
from incorta_provider.storage.copying.transfer import copy_pending, open_index
from incorta_provider.storage.copying.workspace import Shard, Workspace
from incorta_provider.storage.flow.oversight import Controls, Oversight
from incorta_provider.storage.flow.progress import Total
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.routes import copier_for, suited
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What came of one shard.

    :ivar copied_files: by this try, ``copied_bytes`` in all; ``reused``: this many were copied by earlier tries.
    :ivar missed: vanished, or changed under every try; the pass that follows sees to them.
    """

    copied_files: int
    copied_bytes: int
    reused: int
    missed: int
    seconds: float


def copy_shard(source: Tree, target: Target, workspace: Workspace, number: int, controls: Controls) -> ShardReport:
    """Copy one shard of the pass that was split, or what is left of it.

    :raises PreconditionError: no pass was split into that many shards, a later one took its place, or the target lacks
        room, or the worker does for files that wait there.
    :raises TransientError: a pass or another task holds the workspace or the shard; there is no room for files that
        wait at the worker until other shards have ended; or what a pass raises.
    :raises IntegrityError: a file cannot be read.
    """
    with workspace.share():
        if (shard := workspace.shard(number)) is None:
            raise PreconditionError(
                f"nobody waits for shard {number}",
                where=str(workspace.root),
                fix="Clear the task `pre_copy` and what follows.",
            )
        with shard.lock():
            return _copy(suited(source, target), target, workspace, shard, number, controls)


def _copy(
    source: Tree, target: Target, workspace: Workspace, shard: Shard, number: int, controls: Controls
) -> ShardReport:
    started = time.monotonic()
    last = _resumed(shard.index)
    left, before = _left(shard.pending, last)
    target.ensure_room(size=left.size, files=left.files)
    pending = dropwhile(lambda entry: entry.path <= last, read_manifest(shard.pending))
    with (
        Oversight(left, controls, workspace, source.label, shard=number) as oversight,
        open_index(shard.index, "ab") as index,
    ):
        copier = copier_for(source, target, workspace, alone=False)
        ensure_room_on_the_way(copier, shard.pending, left, workspace, oversight)
        done = copy_pending(copier, pending, left, index, oversight)
    missed = len(done.vanished) + len(done.unsettled)
    return ShardReport(done.files, done.size, before, missed, time.monotonic() - started)


def _left(pending: Path, last: bytes) -> tuple[Total, int]:
    """Return what of a shard comes after the path ``last``, and how many files are not."""
    before = files = size = 0
    for entry in read_manifest(pending):
        if entry.path <= last:
            before += 1
        else:
            files += 1
            size += entry.size
    return Total(files, size), before


def _resumed(index: Path) -> bytes:
    """Return the last path in an index, empty when there is none; a line that is not whole is cut off.

    Lines are written in the order of the paths, so whatever is before that path is done with.
    """
    last, end = b"", 0
    try:
        with index.open("r+b") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                last, end = line, end + len(line)
            lines.truncate(end)
    except FileNotFoundError:
        return b""
    return from_text(json.loads(last)[0]) if last else b""
