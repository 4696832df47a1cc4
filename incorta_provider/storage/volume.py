"""What the apply engine asks of the file system that holds a replica and its vault: here, or at a node.

A volume has two parts. The *live root* is the replica. The *vault* holds what a run stages and what an apply displaced,
in *areas*: folders that are named relative to the vault, such as ``points/<id>/files`` or ``history/<id>/files``. Both
lie on one file system, so that every step of an apply is a rename.

Each call takes and returns a whole batch of plain data (bytes, numbers, entries, steps), so that a volume at a node is
the same class behind a pipe: :class:`incorta_provider.storage.local.volume.LocalVolume` and all that it imports need
nothing but the standard library. No call remembers anything for the next one, and each may be repeated.

:raises DrError: of every call: reading or writing failed, see :mod:`incorta_provider.storage.faults`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.apply.redo_journal import Step
from incorta_provider.storage.copying.free_space import Room
from incorta_provider.storage.copying.work_pool import Limits
from incorta_provider.storage.digests import Reading
from incorta_provider.storage.tree import Tree

LIVE = b""
"""The area that is the live root itself; all others are in the vault."""

STEPS = 1_000
"""About how many steps or entries a call should have: a way of 20 ms each way must not be felt, and memory neither."""


@dataclass(frozen=True, slots=True)
class LiveRoot:
    """What is known of the live root without looking below it.

    :param there: it is a folder.
    :param makeable: the folder above it is there.
    :param one_file_system: the vault lies on the same one; a root that is not there counts by the folder above it.
    :param names: what it holds at the top, sorted; empty when it is not there.
    """

    there: bool
    makeable: bool
    one_file_system: bool
    names: tuple[bytes, ...]


class AreaReader(Protocol):
    """Reads batches of files of one area again."""

    @property
    def limits(self) -> Limits:
        """How it is called best by :func:`incorta_provider.storage.copying.work_pool.in_order`."""

    def __call__(self, batch: list[Entry]) -> list[Reading]:
        """Return what each file holds now; a file that is not there is a reading without digest."""


class Volume(Protocol):
    """The file system of one replica and its vault."""

    @property
    def label(self) -> str:
        """Where the live root is, for messages."""

    @property
    def vault_label(self) -> str:
        """Where the vault is, for messages."""

    def live(self, exclude: Sequence[str] = ()) -> Tree:
        """Return the live replica as a tree."""

    def area(self, name: bytes) -> Tree:
        """Return what lies in one area as a tree."""

    def live_root(self) -> LiveRoot:
        """Look at the live root.

        :raises ConfigurationError: another file system is mounted inside of it, or of the vault; or one of them lies
            inside of what is another installation's, or around it.
        """

    def make_live_root(self) -> None:
        """Make the live root, in a folder that is there; one that is there is fine."""

    def room(self) -> Room:
        """Ask how much fits on the vault's file system."""

    def areas(self, pattern: str) -> list[bytes]:
        """Return the folders in the vault whose names match, sorted; ``*`` is any one part (``history/*/*``)."""

    def reader(self, area: bytes, *, framing: bool = False) -> AreaReader:
        """Return what reads files of one area.

        :param framing: look at the frames of Parquet files too.
        """

    def touched(self, area: bytes, batch: list[Entry], changed_ns: Sequence[int] = (), /) -> list[bytes]:
        """Return which files of an area are not as they are recorded, by size and time alone.

        :param changed_ns: the change time that each must have too, where it is known.
        """

    def find(self, own: bytes, others: Sequence[bytes], batch: list[Entry]) -> list[bytes | None]:
        """Return where the bytes of each file lie, relative to the vault; None when nowhere.

        Always under the file's own path. In the area ``own`` the recorded size and time are proof, because it was read
        right before the seal; anywhere else the digest is.

        :param others: looked through in this order.
        """

    def do(self, steps: list[Step], history: bytes) -> list[bytes]:
        """Do steps of an apply, in their order, and return which folders of the replica they made, opened or changed.

        Steps that were done already, wholly or in part, change nothing.

        :param history: folder in the vault that takes what is moved out, below ``files/``; this apply's own.
        """

    def finish(self, folders: list[Entry]) -> None:
        """Set time and mode of folders of the replica, in the order given: deepest first."""

    def sync(self) -> None:
        """Bring everything that was written to disk.

        :raises LostWritesError: the disk refused a part.
        """

    def heard(self) -> None:
        """Let ``sync`` forget what the disk refused, once it is written down that what was staged is void."""

    def kept(self, area: bytes) -> Iterator[Entry]:
        """Yield the regular files of an area in the vault, in path order and without digests; it may be absent."""

    def forget(self, places: list[bytes]) -> None:
        """Delete files of the vault, and folders that get empty by it; what is gone is fine."""

    def remove(self, area: bytes) -> None:
        """Remove an area of the vault with all that it holds, if there is one."""
