"""The replica and its vault at a node: a volume of files that are local there, asked from here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.exceptions import DrError
from incorta_provider.storage.apply.redo_journal import Step
from incorta_provider.storage.copying.free_space import Room
from incorta_provider.storage.copying.staged_index import to_text
from incorta_provider.storage.copying.work_pool import Limits
from incorta_provider.storage.digests import Reading
from incorta_provider.storage.ssh.ends import UNJUDGED, fault_of_ends
from incorta_provider.storage.ssh.marker import Owner
from incorta_provider.storage.ssh.node_agent import LostError, Node, node_of
from incorta_provider.storage.ssh.steps import pack_steps
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.ssh.wire import (
    Message,
    pack_entries,
    pack_paths,
    unpack_entries,
    unpack_numbers,
    unpack_paths,
    unpack_texts,
)
from incorta_provider.storage.volume import LIVE, AreaReader, LiveRoot

log = logging.getLogger(__name__)

_APPLY = "apply"


class Entrance(NamedTuple):
    """What lets its holder write behind a fence.

    :ivar token: this entry's own: an older one of the same worker does not count any more.
    :ivar python: the node's Python, and ``program``, the agent's file there.
    """

    token: str
    python: str
    program: str


class RemoteVolume:
    """The replica at ``root`` and the vault in the folder ``vault``, both at one node.

    See :class:`incorta_provider.storage.volume.Volume`, which it fits.
    """

    def __init__(self, info: ConnectionInfo, root: bytes, vault: bytes) -> None:
        self.info = info
        self.root = root
        self.vault = vault
        self._applying: bytes | None = None
        self._token = ""

    @property
    def label(self) -> str:
        """The URL of the live root."""
        return f"ssh://{self.info.conn_id}{shown(self.root)}"

    @property
    def vault_label(self) -> str:
        """The URL of the vault."""
        return f"ssh://{self.info.conn_id}{shown(self.vault)}"

    @property
    def node(self) -> Node:
        """The node with its agents."""
        return node_of(self.info)

    def live(self, exclude: Sequence[str] = ()) -> SshTree:
        """Return the live replica as a tree."""
        return SshTree(self.info, self.root, exclude)

    def area(self, name: bytes) -> SshTree:
        """Return what lies in one area as a tree."""
        return SshTree(self.info, self.path(name))

    def live_root(self) -> LiveRoot:
        """Look at the live root."""
        (part,) = self._call("live_root")
        return LiveRoot(**part.head, names=tuple(unpack_paths(part.body)))

    def make_live_root(self) -> None:
        """Make the live root."""
        self._call("make_live_root")

    def room(self) -> Room:
        """Ask how much fits on the vault's file system."""
        (part,) = self._call("room")
        return Room(**part.head)

    def areas(self, pattern: str) -> list[bytes]:
        """Return the folders in the vault whose names match, sorted."""
        (part,) = self._call("areas", pattern=pattern)
        return unpack_paths(part.body)

    def reader(self, area: bytes, *, framing: bool = False) -> AreaReader:
        """Return what reads files of one area."""
        return RemoteReader(self.info, self.path(area), framing=framing)

    def touched(self, area: bytes, batch: list[Entry], _: Sequence[int] = (), /) -> list[bytes]:
        """Return which files of an area are not as they are recorded, by size and time alone."""
        (part,) = self._call("touched", pack_entries(batch), area=to_text(area))
        return unpack_paths(part.body)

    def find(self, own: bytes, others: Sequence[bytes], batch: list[Entry]) -> list[bytes | None]:
        """Return where the bytes of each file lie, relative to the vault; None when nowhere."""
        names = [to_text(area) for area in (own, *others)]
        (part,) = self._call("find", pack_entries(batch), areas=names)
        return unpack_texts(part.body)

    def do(self, steps: list[Step], history: bytes) -> list[bytes]:
        """Do steps of an apply; the first ones of an apply wait for what is left of a connection that was lost."""
        if self._applying != history:
            self._enter()
            self._applying = history
        texts, numbers = pack_steps(steps)
        (part,) = self._fenced("do", texts + numbers, texts=len(texts), history=to_text(history))
        return unpack_paths(part.body)

    def finish(self, folders: list[Entry]) -> None:
        """Set time and mode of folders of the replica."""
        if self._applying is None:
            self._enter()
            self._applying = b""
        self._fenced("finish", pack_entries(folders))

    def sync(self) -> None:
        """Bring everything that was written to disk; what the disk refused is told again until it is ``heard``."""
        list(self.node.stream("sync", b"", **self._place()))

    def heard(self) -> None:
        """Let the node forget what its disk refused; one that does not hear it tells it once more."""
        with suppress(DrError):
            self._call("heard")

    def kept(self, area: bytes) -> Iterator[Entry]:
        """Yield what an area in the vault holds, in path order, without digests."""
        for part in self.node.stream("kept", b"", **self._place(), area=to_text(area)):
            yield from unpack_entries(part.body)

    def forget(self, places: list[bytes]) -> None:
        """Delete files of the vault, and folders that get empty by it."""
        self._call("forget", pack_paths(places))

    def remove(self, area: bytes) -> None:
        """Remove an area of the vault with all that it holds."""
        self._call("remove", area=to_text(area))

    def make_vault(self, owner: Owner) -> None:
        """Make the vault, unless there is one.

        :raises PreconditionError: its place is unfit.
        """
        self._call("make", owner=owner)

    def owner(self) -> Owner | None:
        """Return whose vault it is; None when there is none."""
        (part,) = self._call("owner")
        return part.head["owner"]  # type: ignore[no-any-return]

    def take_over(self, fence: str, alone: str = "") -> Entrance:
        """Make this worker one that may write behind a fence, once nothing of others writes there any more.

        :param alone: the others are all whose fences begin so; empty for those of this very fence.
        """
        token = self.node.new_token()
        (part,) = self._call(
            "prepare",
            fence=to_text(self.fence(fence)),
            incoming=to_text(self.incoming(fence)),
            token=token,
            alone=alone,
        )
        return Entrance(token, **part.head)

    def path(self, area: bytes) -> bytes:
        """Return the path of an area at the node."""
        return self.root if area == LIVE else self.vault + b"/" + area

    def fence(self, name: str) -> bytes:
        """Return the path of a fence's file at the node."""
        return self.vault + b"/fences/" + name.encode()

    def incoming(self, name: str) -> bytes:
        """Return the path of the folder that comes to be filled behind a fence."""
        return self.vault + b"/incoming/" + name.encode()

    def _enter(self) -> None:
        self._token = self.take_over(_APPLY).token

    def _fenced(self, do: str, body: bytes, **head: Any) -> list[Message]:
        """Have something done that must not be done twice at the same time.

        When the connection is lost, the agent may live on for a minute and do it: it is waited for and locked out, then
        another one is asked.
        """
        fence = to_text(self.fence(_APPLY))
        try:
            return self._call(do, body, fence=fence, token=self._token, **head)
        except LostError as error:
            log.warning("once the former agent has ended, another one is asked: %s", error)
        self._enter()
        return self._call(do, body, fence=fence, token=self._token, **head)

    def _call(self, do: str, body: bytes = b"", **head: Any) -> list[Message]:
        return self.node.call(do, body, **self._place(), **head)

    def _place(self) -> dict[str, str]:
        return {"root": to_text(self.root), "vault": to_text(self.vault)}


class RemoteReader:
    """Reads batches of files below a folder at a node.

    It can be pickled: agents are started where they are asked.
    """

    limits = Limits(workers=4, batch_files=512, batch_bytes=64 * 1024 * 1024, helpers_from=None)

    def __init__(self, info: ConnectionInfo, folder: bytes, *, framing: bool) -> None:
        self._info = info
        self._folder = folder
        self._framing = framing

    def __call__(self, batch: list[Entry]) -> list[Reading]:
        """Return what each file holds now."""
        digests, sizes, framing = node_of(self._info).stream(
            "read", pack_entries(batch), root=to_text(self._folder), framing=self._framing
        )
        rows = zip(unpack_texts(digests.body), unpack_numbers(sizes.body, 1), framing.head["framing"], strict=True)
        return [
            Reading(digest, size, self._fault(entry.path) if fault == UNJUDGED else fault)
            for entry, (digest, (size,), fault) in zip(batch, rows, strict=True)
        ]

    def _fault(self, path: bytes) -> str | None:
        (part,) = node_of(self._info).call("ends", pack_paths([path]), root=to_text(self._folder))
        return fault_of_ends(part.head["size"], part.body)
