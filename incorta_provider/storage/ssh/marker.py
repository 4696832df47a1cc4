"""Whose vault a folder is: a file in it, so that a file system that is not mounted is refused, and not filled.

This module needs only the standard library, because it also runs at nodes.

:raises PreconditionError: the vault is not there, or its place is unfit.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.storage.records.json_file import write_json

_NAME = "vault.json"
Owner = dict[str, str]


def read_owner(vault: Path) -> Owner | None:
    """Return whose vault it is; None when no vault is there."""
    path = vault / _NAME
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        owner = None
    if not isinstance(owner, dict):
        raise IntegrityError("the file names no owner of a vault", where=str(path), fix="Restore it from a backup.")
    return {str(key): str(value) for key, value in owner.items()}


def make_vault(vault: Path, root: Path, owner: Owner) -> None:
    """Make a folder the vault of a replica, once for all; a person does it while it is mounted.

    :param root: the replica, or where it will be.
    """
    if read_owner(vault) is not None:
        return
    if not vault.parent.is_dir():
        raise PreconditionError(
            "there is no folder for the vault", where=str(vault.parent), fix="Mount the storage there, then retry."
        )
    vault.mkdir(mode=0o700, exist_ok=True)
    if any(name != _NAME for name in os.listdir(vault)):  # noqa: PTH208 - any name will do
        raise PreconditionError(
            "the folder for the vault is not empty, and it is not a vault",
            where=str(vault),
            fix="Choose or make another one.",
        )
    _ensure_one_file_system(vault, root)
    write_json(vault / _NAME, owner)


def _ensure_one_file_system(vault: Path, root: Path) -> None:
    near = next(path for path in (root, *root.parents) if path.exists())
    if near.stat().st_dev != vault.stat().st_dev:
        raise PreconditionError(
            f"the vault is on another file system than the replica {root}, so no file can be moved between them",
            where=str(vault),
            fix="Choose a folder on the replica's own file system as `vault` in the topology.",
        )
