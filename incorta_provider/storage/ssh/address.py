"""From a URL ``ssh://conn_id/absolute/path`` to what is there: a tree to copy from, or a target.

:raises ConfigurationError: the URL names no connection or no absolute path, or the connection is not that of a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from incorta_provider.connection import ConnectionInfo, Connections
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.ssh.volume import RemoteVolume

_VAULT_SUFFIX = b".incorta-dr"
_PATTERN = frozenset(b"*?[\\")
"""rsync takes these in a path at a node for a pattern."""


def open_ssh_tree(url: str, connections: Connections, exclude: Sequence[str] = ()) -> SshTree:
    """Return the tree at ``url``; nothing is asked yet."""
    return SshTree(*_place(url, connections), exclude)


def open_ssh_target(url: str, catalog: Catalog, connections: Connections, vault: str | None = None) -> SshTarget:
    """Return the target at ``url``; nothing is asked yet.

    :param vault: URL of the folder for what is staged and displaced, at the same node; by default beside the replica.
    """
    info, root = _place(url, connections)
    if vault is None:
        return SshTarget(catalog, RemoteVolume(info, root, root + _VAULT_SUFFIX))
    other, folder = _place(vault, connections)
    if other.conn_id != info.conn_id:
        raise _refused(vault, f"the vault must be at the same node as the storage, {info.conn_id}")
    return SshTarget(catalog, RemoteVolume(info, root, folder))


def _place(url: str, connections: Connections) -> tuple[ConnectionInfo, bytes]:
    parts = urlsplit(url)
    path = unquote_to_bytes(parts.path).rstrip(b"/")
    if parts.scheme != "ssh" or not parts.netloc:
        raise _refused(url, "the URL names no connection")
    if parts.query or parts.fragment:
        raise _refused(url, "a '?' or '#' in a path must be written as %3F or %23")
    if not path or b".." in path.split(b"/") or b"\0" in path:
        raise _refused(url, "the path must be absolute, without '..', and not that of everything")
    if _PATTERN.intersection(path):
        raise _refused(url, "the path of the root must be without '*', '?', '[' and backslashes")
    return connections(unquote(parts.netloc)), path


def _refused(url: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        what, where=url, fix="Correct the URL in the topology, for example ssh://newyork_node1/mnt/incorta."
    )
