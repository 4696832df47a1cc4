"""Who runs rsync, and where it puts files: here, from here to a node, or from one node to another."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.copying.staged_index import to_text
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.flow.throttle import moved, share
from incorta_provider.storage.folders import make_folders, remove_tree
from incorta_provider.storage.ssh.client import login_at, write_client_options
from incorta_provider.storage.ssh.lines import Lines
from incorta_provider.storage.ssh.packed import write_packed
from incorta_provider.storage.ssh.pieces import Piece, pull_piece, push_piece
from incorta_provider.storage.ssh.received import adopt
from incorta_provider.storage.ssh.rsync import Ended, finish, run
from incorta_provider.storage.ssh.rsync_commands import Handling, Manner, pull_command, push_command
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.ssh.volume import RemoteVolume
from incorta_provider.storage.ssh.wire import Message, pack_contents, pack_entries, pack_paths, unpack_texts


class _Numbered:
    """Gives each rsync a folder of its own.

    :param name: of this process; others on other workers may use the same ``home``.
    """

    def __init__(self, home: bytes, name: str) -> None:
        self._head = home + b"/rsync-" + name.encode()
        self._numbers = itertools.count(1)

    def next(self) -> bytes:
        return self._head + b"-%d" % next(self._numbers)


class PullHere:
    """Brings files from a node into a workspace."""

    def __init__(self, source: SshTree, workspace: Workspace) -> None:
        self.place = f"{source.label} to {workspace.files}"
        self._source = source
        self._area = os.fsencode(workspace.files)
        self._folders = _Numbered(os.fsencode(workspace.partial), source.node.name)
        self._lines = Lines(partial(write_client_options, source.info))

    def bring(self, paths: Sequence[bytes], handling: Handling) -> tuple[bytes, Ended]:
        """Run one rsync to its end."""
        incoming = self._folders.next()
        remove_tree(incoming)
        make_folders(incoming)
        manner = Manner(handling, share(self._source.node.streams))
        with self._lines.line() as line:
            command = pull_command(line.options, self._source.root, incoming, manner)
            return incoming, line.refusal or line.judged(run(command, paths, _moved))

    def take_packed(self, entries: Sequence[Entry], contents: Sequence[bytes]) -> list[bytes | None]:
        """Take files of which all bytes are here into the workspace."""
        incoming = self._folders.next()
        remove_tree(incoming)
        write_packed(incoming, [entry.path for entry in entries], contents)
        return self.take_in(incoming, entries)

    def new_folder(self) -> bytes:
        """Return a folder for pieces, below that of the workspace."""
        return self._folders.next()

    def bring_piece(self, incoming: bytes, piece: Piece) -> Ended:
        """Bring one piece of a file to its place in the folder."""
        with self._lines.line() as line:
            python = self._source.node.python
            bringing = pull_piece(line.options, python, self._source.root, incoming, piece)
            try:
                return line.refusal or line.judged(finish(bringing, moved))
            except OSError as error:
                raise target_fault(error, os.fsdecode(incoming)) from None

    def take_in(self, incoming: bytes, entries: Sequence[Entry]) -> list[bytes | None]:
        """Take files into the workspace."""
        try:
            return adopt(incoming, self._area, entries)
        finally:
            self.drop(incoming)

    def drop(self, incoming: bytes) -> None:
        """Remove a folder that was brought to."""
        remove_tree(incoming)


class _IntoVault:
    """What both ways to a node have in common: an area of its vault, behind a fence of this process.

    :param alone: no other process is to copy into the area: what is left of former ones is waited for, and refused.
    """

    def __init__(self, volume: RemoteVolume, area: bytes, *, alone: bool) -> None:
        self._volume = volume
        self._area = area
        group = os.fsdecode(area).replace("/", "-") + "."
        name = group + volume.node.name
        self._fence = volume.fence(name)
        self._entrance = volume.take_over(name, group if alone else "")
        self._folders = _Numbered(volume.incoming(name), volume.node.name)

    def new_folder(self) -> bytes:
        """Return a folder for pieces, in the vault."""
        return self._folders.next()

    def drop(self, incoming: bytes) -> None:
        """Remove a folder that was brought to."""
        self.take_in(incoming, [])

    def take_in(self, incoming: bytes, entries: Sequence[Entry]) -> list[bytes | None]:
        """Take files into the area."""
        (part,) = self._ask("take_in", pack_entries(entries), incoming, area=to_text(self._volume.path(self._area)))
        return unpack_texts(part.body)

    def _ask(self, do: str, body: bytes, incoming: bytes, **head: Any) -> Iterator[Message]:
        behind = {"fence": to_text(self._fence), "token": self._entrance.token}
        return self._volume.node.stream(do, body, **behind, incoming=to_text(incoming), **head)


class PushThere(_IntoVault):
    """Brings files from a folder here into an area at a node.

    :param root: the folder, for :meth:`bring`.
    """

    def __init__(self, root: bytes, volume: RemoteVolume, area: bytes, *, alone: bool) -> None:
        super().__init__(volume, area, alone=alone)
        self.place = volume.label
        self._root = root
        token, python, program = self._entrance
        self._fenced = [python, "-I", program, "fenced", self._fence.hex(), token]
        self._server = shlex.join([*self._fenced, "rsync"])
        self._lines = Lines(partial(write_client_options, volume.info))

    def bring(self, paths: Sequence[bytes], handling: Handling) -> tuple[bytes, Ended]:
        """Run one rsync to its end."""
        return self.bring_from(self._root, paths, handling)

    def take_packed(self, entries: Sequence[Entry], contents: Sequence[bytes]) -> list[bytes | None]:
        """Send files of which all bytes are here, and take them into the area."""
        named, body = pack_entries(entries), pack_contents(contents)
        moved(sum(map(len, contents)))
        area = to_text(self._volume.path(self._area))
        (part,) = self._ask("take_packed", named + body, self._folders.next(), area=area, entries=len(named))
        return unpack_texts(part.body)

    def bring_from(self, root: bytes, paths: Sequence[bytes], handling: Handling) -> tuple[bytes, Ended]:
        """Run one rsync to its end, from another folder."""
        incoming = self._folders.next()
        manner = Manner(handling, share(self._volume.node.streams))
        with self._lines.line() as line:
            command = push_command(line.options, root, incoming, manner, self._server)
            return incoming, line.refusal or line.judged(run(command, paths, _moved))

    def bring_piece(self, incoming: bytes, piece: Piece) -> Ended:
        """Send one piece of a file to its place in the folder."""
        with self._lines.line() as line:
            sending = push_piece(line.options, self._entrance.python, self._fenced, self._root, incoming, piece)
            return line.refusal or line.judged(finish(sending, moved))


class PullThere(_IntoVault):
    """Has a node bring files from another one, with a key of its own: no byte passes this worker."""

    def __init__(self, source: SshTree, volume: RemoteVolume, area: bytes, *, alone: bool) -> None:
        super().__init__(volume, area, alone=alone)
        self.place = f"{source.label} to {volume.label}"
        key = str(volume.info.extra.get("pull_key_file") or "")
        if not key.startswith("/"):
            raise ConfigurationError(
                f"the node has no key to pull from {source.label} with",
                where=f"connection {volume.info.conn_id}",
                fix="Set pull_key_file in its extra field to the absolute path of a private key at that node, and list "
                "its public key in authorized_keys at the source's node.",
            )
        self._source = to_text(source.root)
        self._python = source.node.python
        self._login = asdict(login_at(source.info, key))

    def bring(self, paths: Sequence[bytes], handling: Handling) -> tuple[bytes, Ended]:
        """Run one rsync at the node to its end."""
        incoming = self._folders.next()
        return incoming, self._pulled("pull", pack_paths(paths), incoming, handling=handling)

    def bring_piece(self, incoming: bytes, piece: Piece) -> Ended:
        """Have the node bring one piece of a file to its place in the folder."""
        part = {"begin": piece.begin, "size": piece.size, "python": self._python}
        return self._pulled("pull_piece", pack_paths([piece.path]), incoming, **part)

    def _pulled(self, do: str, body: bytes, incoming: bytes, **head: Any) -> Ended:
        rate = share(self._volume.node.streams)
        for part in self._ask(do, body, incoming, source=self._source, login=self._login, rate=rate, **head):
            if "moved" in part.head:
                _moved(part.head["moved"])
        return Ended(part.head["status"], part.head["complaint"])


def _moved(size: int) -> None:
    moved(size, wait=False)  # what runs there keeps to its share of the limit by itself
