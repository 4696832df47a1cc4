"""The command lines of rsync, for both directions. The standard library is all that this module needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from incorta_provider.ssh.openssh import ALIAS, remote_shell
from incorta_provider.storage.ssh.rsync import FLAGS


def pull_command(options: Path, root: bytes, into: bytes, rate: int | None) -> list[str]:
    """Return the command that brings files from ``root`` at the node to ``into`` here.

    :param options: for the OpenSSH client, see :mod:`incorta_provider.ssh.openssh`.
    :param rate: bytes a second at most.
    """
    return _command(options, _limit(rate), f"{ALIAS}:{_folder(root)}", _folder(into))


def push_command(options: Path, root: bytes, into: bytes, rate: int | None, server: str) -> list[str]:
    """Return the command that brings files from ``root`` here to ``into`` at the node.

    :param server: the rsync at the node: words for its shell.
    """
    return _command(options, [*_limit(rate), f"--rsync-path={server}"], _folder(root), f"{ALIAS}:{_folder(into)}")


def _command(options: Path, flags: Sequence[str], source: str, target: str) -> list[str]:
    return ["rsync", *FLAGS, f"--rsh={remote_shell(options)}", *flags, "--", source, target]


def _limit(rate: int | None) -> Sequence[str]:
    """Return the option for a rate, which rsync takes in units of 1024 bytes."""
    return [] if rate is None else [f"--bwlimit={max(1, rate // 1024)}"]


def _folder(path: bytes) -> str:
    return os.fsdecode(path) + "/"
