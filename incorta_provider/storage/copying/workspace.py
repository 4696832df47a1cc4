"""The folder of one run, in the catalog: everything that is staged for a point and not sealed yet.

``files/`` holds the staged files under their own paths, with their times and modes; folders in it are scaffolding.
``passes/`` holds what each pass over the source saw and copied, so that a pass that was cut off costs only what it was
copying at that moment. Sealing turns the whole folder into the point's by one rename.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from incorta_provider.exceptions import IntegrityError, LostWritesError
from incorta_provider.storage.file_lock import exclusive, shared
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.records.json_file import read_json, write_json

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Shard:
    """The files of one shard of a pass; see :mod:`incorta_provider.storage.copying.shards`.

    :ivar pending: what is to be copied; a manifest.
    :ivar index: what was copied, one line a file.
    """

    pending: Path
    index: Path

    def lock(self) -> AbstractContextManager[None]:
        """Hold the shard: a task that Airflow took for dead may still be copying it.

        :raises TransientError: it is held; says by whom.
        """
        return exclusive(self.pending.with_suffix(".lock"), "the shard")


@dataclass(frozen=True, slots=True)
class Pass:
    """The files of one pass over the source.

    :ivar pending: what is to be copied; a manifest.
    :ivar draft: how the result differs from the point before if nothing is copied, and what that point has of what is
        to be copied; a delta.
    :ivar index: what was copied, one line a file.
    :ivar seen: the result, there once the pass is complete: how everything seen at the source whose bytes are here
        differs from the point before; a delta.
    """

    pending: Path
    draft: Path
    index: Path
    seen: Path

    def shard(self, number: int) -> Shard:
        """Return the files of one shard of what is to be copied."""
        head = self.pending.name[:_DIGITS]
        return Shard(
            pending=self.pending.with_name(f"{head}.shard.{number:02d}.parquet"),
            index=self.pending.with_name(f"{head}.copied.{number:02d}.jsonl"),
        )

    def clear(self) -> None:
        """Remove what only the pass itself needed."""
        for path in (self.pending, self.draft):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Workspace:
    """One run's folder; made by :meth:`incorta_provider.storage.catalog.Catalog.workspace`.

    :ivar root: the folder.
    """

    root: Path

    @property
    def catalog(self) -> Path:
        """The folder of the catalog that the workspace is in."""
        return self.root.parent.parent

    @property
    def files(self) -> Path:
        """The staged files."""
        return self.root / "files"

    @property
    def partial(self) -> Path:
        """Where a file is copied to that is staged already, in another version."""
        return self.root / "partial"

    @property
    def manifest(self) -> Path:
        """The manifest of the point to be; there after the final copy."""
        return self.root / "manifest.parquet"

    @property
    def delta(self) -> Path:
        """How the point to be differs from the one before; there after the final copy."""
        return self.root / "delta.parquet"

    @property
    def look(self) -> Path:
        """How the source is looked at."""
        return self.root / "look.json"

    @property
    def mounts(self) -> Path:
        """Where other file systems are mounted inside of the source; absent when there are none."""
        return self.root / "mounts.json"

    @property
    def dump(self) -> Path:
        """The metadata, dumped and compressed."""
        return self.root / "metadata.sql.zst"

    @property
    def inventory(self) -> Path:
        """What the metadata hold."""
        return self.root / "inventory.json"

    @property
    def references(self) -> Path:
        """The files that the metadata name."""
        return self.root / "references.jsonl"

    @property
    def check(self) -> Path:
        """What the check found in order."""
        return self.root / "check.json"

    @property
    def proof(self) -> Path:
        """That the dump was proven."""
        return self.root / "proof.json"

    def withdraw(self) -> None:
        """Take back manifest, delta, check and proof: what they are about is going to be replaced.

        The caller holds the lock.
        """
        for path in (self.check, self.proof, self.manifest, self.delta):
            path.unlink(missing_ok=True)

    def create(self) -> None:
        """Make the folders; what is there stays."""
        for folder in (self.root, self.files, self.partial, self._passes):
            folder.mkdir(mode=0o700, exist_ok=True)

    def new_pass(self) -> Pass:
        """Return the files of the next pass."""
        numbers = [int(path.name[:_DIGITS]) for path in self._passes.glob("[0-9]*")]
        number = f"{max(numbers, default=0) + 1:0{_DIGITS}d}"
        return Pass(
            pending=self._passes / f"{number}.pending.parquet",
            draft=self._passes / f"{number}.draft.parquet",
            index=self._passes / f"{number}.copied.jsonl",
            seen=self._passes / f"{number}.seen.parquet",
        )

    def last_seen(self) -> Path | None:
        """Return the result of the newest pass that was completed."""
        return max(self._passes.glob("*.seen.parquet"), default=None)

    def indexes(self, after: Path | None = None) -> list[Path]:
        """Return the indexes of staged files, oldest first.

        :param after: only of the passes after the one with this result.
        """
        found = sorted(self._passes.glob("*.copied*.jsonl"))
        return [path for path in found if after is None or path.name[:_DIGITS] > after.name[:_DIGITS]]

    def shard(self, number: int) -> Shard | None:
        """Return a shard of the newest pass that was split; None when there is none, or no pass waits for it."""
        found = max(self._passes.glob(f"*.shard.{number:02d}.parquet"), default=None)
        if found is None:
            return None
        return Shard(found, found.with_name(f"{found.name[:_DIGITS]}.copied.{number:02d}.jsonl"))

    def drop_shards(self) -> None:
        """Remove what shards were to copy; what they did copy stays. The caller holds the lock alone."""
        for path in self._passes.glob("*.shard.*"):
            path.unlink()

    def clear_partial(self) -> None:
        """Remove what was on its way when its process was killed. The caller holds the lock alone."""
        remove_tree(os.fsencode(self.partial))
        self.create()

    def publish(self, found: Path, place: Path) -> None:
        """Give a file that is whole a second name, in this folder; what has that name is replaced."""
        draft = place.with_name(f".{place.name}.draft")
        draft.unlink(missing_ok=True)
        draft.hardlink_to(found)
        draft.rename(place)

    def left_out(self) -> list[bytes]:
        """Return the files of the source that are in no recovery point until they are whole."""
        return [unquote_to_bytes(path) for path in read_json(self._left_out) or ()]

    def save_left_out(self, paths: Iterable[bytes]) -> None:
        """Write down which files are left out; a check that is run again must not forget them."""
        write_json(self._left_out, [quote_from_bytes(path) for path in sorted(paths)])

    def void(self) -> None:
        """Say, on disk, that what is staged may be lost: nobody may believe in it, whatever can be read.

        Where the disk has no room for that word, what believes in the staged files is removed: first what passes made,
        without which none comes to its end, then what the last one did make of it. The lock is not asked for: a copy
        may hold it for hours, and a pass that this takes the ground from fails, and copies again. What lets nothing be
        removed, such as a disk that turned read-only, lets nothing be sealed either.
        """
        try:
            write_json(self._void, True)
        except OSError:
            with suppress(OSError):
                remove_tree(os.fsencode(self._passes))
            with suppress(OSError):  # also where a pass made a file there meanwhile
                self.withdraw()

    @property
    def is_void(self) -> bool:
        """Whether what is staged may be lost."""
        return self._void.exists()

    def ensure_not_void(self) -> None:
        """Refuse to go on with what may be lost.

        :raises IntegrityError: it may be.
        """
        if self.is_void:
            raise IntegrityError(
                "the disk refused a part of what was written while this run was under way",
                where=str(self.root),
                fix="Nothing was sealed. Check the disk; the next run copies everything of this one again, and so does "
                "this one when its tasks are cleared from `pre_copy` on.",
            )

    def start_over(self) -> None:
        """Forget all that was staged; the target's ``discard`` came before. The caller holds the lock alone."""
        self.withdraw()
        for folder in (self._passes, self.files, self.partial):
            remove_tree(os.fsencode(folder))
        self.create()
        self._void.unlink(missing_ok=True)

    def lock(self) -> AbstractContextManager[None]:
        """Hold the workspace: a task that Airflow took for dead may still be working in it.

        The lock lies in the folder and goes where the folder goes, to the points or to the bin.

        :raises TransientError: it is held; says by whom.
        """
        return exclusive(self._lock, "the workspace")

    def share(self) -> AbstractContextManager[None]:
        """Hold the workspace together with the other shards of a pass, so that no pass begins meanwhile.

        :raises TransientError: a pass is under way; says whose.
        """
        return shared(self._lock, "the workspace")

    def remove_lock(self) -> None:
        """Remove the lock's file from a folder that is not a workspace any more."""
        self._lock.unlink(missing_ok=True)

    def clear_passes(self) -> None:
        """Remove what no sealed point needs."""
        for folder in (self.partial, self._passes):
            remove_tree(os.fsencode(folder))

    @property
    def _lock(self) -> Path:
        return self.root / "lock"

    @property
    def _void(self) -> Path:
        return self.root / "void.json"

    @property
    def _passes(self) -> Path:
        return self.root / "passes"

    @property
    def _left_out(self) -> Path:
        return self.root / "left_out.json"


@contextmanager
def voiding(workspaces: Callable[[], Iterable[Workspace]]) -> Iterator[None]:
    """Frame what brings files to disk: what a disk refuses may be of any run, so no run believes in what it staged.

    :param workspaces: returns those of all runs that have sealed nothing yet.
    :raises LostWritesError: the disk refused a part; the workspaces are void by then.
    """
    try:
        yield
    except LostWritesError:
        for workspace in workspaces():
            workspace.void()
        raise
