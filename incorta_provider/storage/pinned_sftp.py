"""fsspec's SFTP over a login of ours: fsspec by itself trusts whatever host key it is shown."""

from __future__ import annotations

import stat
from typing import Any

from fsspec.implementations.sftp import SFTPFileSystem

from incorta_provider.connection import ConnectionInfo
from incorta_provider.ssh.shell import NodeShell

ANSWER_SECONDS = 120.0
"""How long a server may be silent in the middle of an answer."""

_CARRIED = frozenset({stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})


class PinnedSftp(SFTPFileSystem):  # type: ignore[misc]
    """The files of one machine.

    :raises DrError: logging in failed, see :class:`incorta_provider.ssh.shell.NodeShell`.
    """

    cachable = False

    def __init__(self, info: ConnectionInfo) -> None:
        self._info = info
        super().__init__(info.host)

    def _decode_stat(self, attributes: Any, parent_path: str | None = None) -> dict[str, Any]:
        """Return what is told of a name; by itself fsspec calls a pipe or a device a file, and waits for its end."""
        told: dict[str, Any] = super()._decode_stat(attributes, parent_path)
        kind = stat.S_IFMT(attributes.st_mode)
        return told if kind in _CARRIED else {**told, "type": "device, socket or pipe"}

    def close(self) -> None:
        """Log out."""
        self.client.close()

    def _connect(self) -> None:
        self.client = NodeShell(self._info).client()
        ftp = self.client.open_sftp()
        if (channel := ftp.get_channel()) is not None:
            channel.settimeout(ANSWER_SECONDS)
        self.ftp: Any = ftp
