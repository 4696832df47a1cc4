"""What the protocol needs of a target, one class per kind of storage.

A target holds the live replica and the bytes of its recovery points: what a run stages, and what an apply displaced.
Records of points, manifests, journals and the ledger are in the catalog
(:mod:`incorta_provider.storage.catalog`), which is always a mounted folder; where the bytes lie is the target's matter:

=================  ==================================================================================================
mounted folder     in the catalog itself, so that sealing and applying are renames
node (``ssh://``)  in a folder beside the replica at that node, the vault
bucket (``s3://``) in the versions of the objects: a staged object *is* the newest version of its key
=================  ==================================================================================================

The first two are a :class:`~incorta_provider.storage.volume_target.VolumeTarget` each, and differ in their
:mod:`~incorta_provider.storage.volume`. A new kind of target is one package with a class that fits :class:`Target`, and
one line in :mod:`incorta_provider.storage.url`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from incorta_provider.dr.manifest import Entry
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.storage.copying.proven import Outcome
from incorta_provider.storage.copying.work_pool import Batch, Limits
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.volume import AreaReader


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What an apply did; counts are of files.

    :param moved: put into the replica.
    :param removed: moved out of it because the point does not have them.
    :param kept: not touched.
    """

    moved: int
    removed: int
    kept: int
    seconds: float


class Copier(Protocol):
    """Brings batches of files of one source into the staging of one run; many calls at once, each path in one."""

    @property
    def limits(self) -> Limits:
        """How it is called best by :func:`incorta_provider.storage.copying.work_pool.in_order`."""

    @property
    def spooled_above(self) -> int | None:
        """The size in bytes above which a file waits whole at the worker on its way; None where none does."""

    def __call__(self, batch: Batch) -> Sequence[Outcome]:
        """Copy a batch, and return for each file what was copied (digest, and version if the target has those).

        Whatever is not returned as proven is read again by the check.

        :raises DrError: the first failure; what was copied before it may be there, but is not believed.
        """


class Target(Protocol):
    """One site's live replica with the bytes of its recovery points."""

    @property
    def looks_at_once(self) -> int:
        """How many calls of ``touched`` at once pay."""

    @property
    def label(self) -> str:
        """Its address, for messages."""

    def initialise(self) -> None:
        """Make and mark what the target needs beside the catalog, once for all; a person does it while it is mounted.

        :raises PreconditionError, ConfigurationError: says what is wrong.
        """

    def check(self) -> None:
        """Refuse a target that is not there, cannot be written, or cannot keep what it displaces.

        :raises PreconditionError, ConfigurationError: says what is wrong; nothing was changed.
        """

    def ensure_room(self, *, size: int, files: int) -> None:
        """Refuse a copy of ``size`` bytes that there is no room for.

        :param files: what is made, files and folders.
        :raises PreconditionError: says what is needed and what is there.
        """

    def copier(self, source: Tree, workspace: Workspace) -> Copier:
        """Return what copies from any ``source``, by its ``fetch``, into the staging of a run.

        Faster ways between two kinds of storage are in :mod:`incorta_provider.storage.routes`, which is asked first.
        """

    def staged_reader(self, workspace: Workspace) -> AreaReader:
        """Return what reads staged files again, with the frames of Parquet files."""

    def touched(self, workspace: Workspace, batch: Batch, changed_ns: Sequence[int] = (), /) -> list[bytes]:
        """Return which staged files are not as they were staged, by their facts alone.

        :param changed_ns: what the copier said of each with its proof, if it proves its copies.
        """

    def flush(self, workspace: Workspace) -> None:
        """Bring everything staged to disk; called right before the rename that seals.

        :raises LostWritesError: the disk refused a part; what runs under way staged is void.
        """

    def discard(self, workspace: Workspace) -> None:
        """Drop the staged bytes of a run that sealed nothing; nothing staged is fine.

        :param workspace: names the run by its last part; the folder itself may be gone or lie in the catalog's bin.
        """

    def live(self, exclude: Sequence[str] = ()) -> Tree:
        """Return the live replica as a tree that can be listed."""

    def live_reader(self) -> AreaReader:
        """Return what reads files of the live replica."""

    def waiting(self) -> set[bytes]:
        """Return the live files that runs wrote to since the last apply, which the next one settles: staged in place.

        Empty where what is staged lies elsewhere.
        """

    def find_out(self, path: Path, point_id: str, suspects: Collection[bytes] = ()) -> None:
        """Write a manifest of what the live replica is to ``path``, whatever its record says.

        A file that looks like the point's, by size and time, is believed to be it; one that only may be it is read.

        :param suspects: files that must be read, however they look.
        :raises IntegrityError: the replica holds what no recovery point can: a special file, or a link out of it.
        """

    def apply(self, point_id: str, *, suspects: Collection[bytes] | None = None) -> ApplyReport:
        """Make the live replica the point; an apply that was cut off before is finished first.

        The caller holds the catalog's lock ``apply``.

        :param suspects: what a comparison found different: repaired even when it is the point by its record.
        :raises IntegrityError: a file of the point is nowhere; nothing was changed.
        """

    def rehearse(self, point_id: str, found: Path | None) -> None:
        """Plan an apply to the end and do nothing.

        :param found: what :meth:`find_out` wrote; None for a replica that was never applied to.
        :raises IntegrityError: a file of the point is nowhere.
        """

    def leftovers(self, retained: Sequence[Path], dropped: Sequence[Path]) -> Iterator[tuple[bytes, int]]:
        """Yield each kept file or version that no retained manifest needs, as its place and its size in bytes.

        Never among them is what an apply would need for the way from one retained point to another, what runs under way
        have staged, and what no point ever named: written at the site by hand or by services, it may be the only copy.

        :param retained: manifests of the points that stay, in the folders of these points.
        :param dropped: where the manifests of the points that go are; one that is gone is fine.
        """

    def forget(self, places: Iterator[bytes]) -> None:
        """Delete what :meth:`leftovers` named; what is gone already is fine."""

    def keep_records(self, point_id: str) -> None:
        """Keep a copy of a sealed point's records and of the ledger where the bytes are, if the catalog is elsewhere.

        The loss of the catalog is not the loss of the points then. May be repeated.

        :raises DrError: there is no copy; the point is sealed anyway.
        """

    def drop_records(self, point_id: str) -> None:
        """Remove the copy that :meth:`keep_records` made of a point's records; none is fine."""

    def holds_staged(self, point: RecoveryPoint) -> bool:
        """Tell whether files that a point brought still lie where they were staged, because no apply took them."""

    def mend(self, workspace: Workspace, entries: Sequence[Entry]) -> None:
        """Put files that were staged into the live replica, under their own paths, with these times and modes.

        What is in their place goes to the history. The caller holds the catalog's lock ``apply``, and has compared what
        was staged with the point that the replica is.

        :raises PreconditionError: this kind of target cannot take a file from elsewhere for a point that is sealed.
        """
