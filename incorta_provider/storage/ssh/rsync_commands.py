"""The command lines of rsync, for both directions. The standard library is all that this module needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from incorta_provider.ssh.openssh import ALIAS, remote_shell
from incorta_provider.storage.ssh.rsync import FLAGS


def pull_command(options: Path, root: bytes, into: bytes) -> list[str]:
    """Return the command that brings files from ``root`` at the node to ``into`` here.

    :param options: for the OpenSSH client, see :mod:`incorta_provider.ssh.openssh`.
    """
    return _command(options, (), f"{ALIAS}:{_folder(root)}", _folder(into))


def push_command(options: Path, root: bytes, into: bytes, server: str) -> list[str]:
    """Return the command that brings files from ``root`` here to ``into`` at the node.

    :param server: the rsync at the node: words for its shell.
    """
    return _command(options, (f"--rsync-path={server}",), _folder(root), f"{ALIAS}:{_folder(into)}")


def _command(options: Path, flags: Sequence[str], source: str, target: str) -> list[str]:
    return ["rsync", *FLAGS, f"--rsh={remote_shell(options)}", *flags, "--", source, target]


def _folder(path: bytes) -> str:
    return os.fsdecode(path) + "/"
