"""The command lines of rsync, for both directions. This module needs only the standard library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from incorta_provider.ssh.openssh import ALIAS, remote_shell
from incorta_provider.storage.ssh.rsync import FLAGS


class Handling(StrEnum):
    """What rsync does with a file.

    ``FAST``: it writes straight to the file's name, in the folder of its own, and leaves there what it could not
    verify. ``CAREFUL``: a file appears once it is verified. ``SPARSE``: holes stay holes too; rsync then writes
    everything in pieces of 1 KB.
    """

    FAST = "fast"
    CAREFUL = "careful"
    SPARSE = "sparse"


_FLAGS = {Handling.FAST: ("--inplace",), Handling.CAREFUL: (), Handling.SPARSE: ("--sparse",)}


class Manner(NamedTuple):
    """How files are brought.

    :ivar handling: see :class:`Handling`.
    :ivar rate: bytes a second at most; None for no limit.
    """

    handling: Handling
    rate: int | None

    @property
    def flags(self) -> Sequence[str]:
        """The options for it; rsync takes a rate in units of 1024 bytes."""
        limit = [] if self.rate is None else [f"--bwlimit={max(1, self.rate // 1024)}"]
        return [*limit, *_FLAGS[self.handling]]


def pull_command(options: Path, root: bytes, into: bytes, manner: Manner) -> list[str]:
    """Return the command that brings files from ``root`` at the node to ``into`` here.

    :param options: for the OpenSSH client, see :mod:`incorta_provider.ssh.openssh`.
    """
    return _command(options, manner.flags, f"{ALIAS}:{_folder(root)}", _folder(into))


def push_command(options: Path, root: bytes, into: bytes, manner: Manner, server: str) -> list[str]:
    """Return the command that brings files from ``root`` here to ``into`` at the node.

    :param server: the rsync at the node: words for its shell.
    """
    return _command(options, [*manner.flags, f"--rsync-path={server}"], _folder(root), f"{ALIAS}:{_folder(into)}")


def _command(options: Path, flags: Sequence[str], source: str, target: str) -> list[str]:
    return ["rsync", *FLAGS, f"--rsh={remote_shell(options)}", *flags, "--", source, target]


def _folder(path: bytes) -> str:
    return os.fsdecode(path) + "/"
