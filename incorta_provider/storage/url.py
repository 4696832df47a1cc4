"""From the storage URL of a topology to what is behind it: a tree to copy from, or a target.

:raises ConfigurationError: a scheme that has no backend, or a ``file://`` URL that names no absolute path.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from incorta_provider.connection import Connections
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.fsspec_tree import open_fsspec_tree
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3.address import open_s3_target, open_s3_tree
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.ssh.address import open_ssh_target, open_ssh_tree
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree


def open_tree(url: str, connections: Connections, exclude: Sequence[str] = ()) -> Tree:
    """Return the tree at ``url``; nothing is read yet.

    :param connections: finds the connection that a URL names in place of a host.
    """
    if _scheme(url) == "ssh":
        return open_ssh_tree(url, connections, exclude)
    if _scheme(url) == "s3":
        return open_s3_tree(url, connections, exclude)
    if _scheme(url) != "file":
        return open_fsspec_tree(url, connections, exclude)
    return LocalTree(local_path(url), exclude)


def open_target(
    url: str, catalog: Catalog, connections: Connections, vault: str | None = None, lock: ObjectLock | None = None
) -> Target:
    """Return the target at ``url``; nothing is read yet.

    :param vault: URL of the folder for what is staged and displaced, where that cannot be the catalog.
    :param lock: how the versions of a bucket are protected from deletion.
    """
    if _scheme(url) == "ssh":
        return open_ssh_target(url, catalog, connections, vault)
    if vault is not None:
        raise _refused(vault, "a vault is only for a storage that is not mounted here; the catalog is one")
    if _scheme(url) == "s3":
        return open_s3_target(url, catalog, connections, lock)
    if _scheme(url) != "file":
        raise _refused(
            url,
            f"there is no backend for {_scheme(url) or 'no scheme'!r} as a target, only for file://, ssh:// and s3://",
        )
    return LocalTarget(local_path(url), catalog)


def is_mounted(url: str, folder: str, connections: Connections) -> bool:
    """Tell whether something is mounted at ``folder`` where the storage at ``url`` is: at its node, or here."""
    if _scheme(url) == "ssh":
        return open_ssh_tree(url, connections).is_mounted(folder)
    return os.path.ismount(folder)


def local_path(url: str) -> Path:
    """Return the folder that a ``file://`` URL names: local, or NFS that is mounted at the worker."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise _refused(
            url, f"there is no backend for {parts.scheme or 'no scheme'!r}, only for file://, ssh:// and s3://"
        )
    if parts.netloc not in {"", "localhost"}:
        raise _refused(url, f"file:// names a host, {parts.netloc!r}; three slashes are needed")
    if parts.query or parts.fragment:
        raise _refused(url, "a '?' or '#' in a path must be written as %3F or %23")
    path = Path(os.fsdecode(unquote_to_bytes(parts.path)))
    if not path.is_absolute() or ".." in path.parts:
        raise _refused(url, "the path must be absolute and without '..'")
    return path


def _scheme(url: str) -> str:
    return urlsplit(url).scheme


def _refused(url: str, what: str) -> ConfigurationError:
    return ConfigurationError(what, where=url, fix="Correct the URL in the topology, for example file:///mnt/incorta.")
