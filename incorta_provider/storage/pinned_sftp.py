"""fsspec's SFTP over a login of ours: fsspec by itself trusts whatever host key it is shown."""

from __future__ import annotations

from typing import Any

from fsspec.implementations.sftp import SFTPFileSystem

from incorta_provider.connection import ConnectionInfo
from incorta_provider.ssh.shell import NodeShell


class PinnedSftp(SFTPFileSystem):  # type: ignore[misc]
    """The files of one machine.

    :raises DrError: logging in failed, see :class:`incorta_provider.ssh.shell.NodeShell`.
    """

    cachable = False

    def __init__(self, info: ConnectionInfo) -> None:
        self._info = info
        super().__init__(info.host)

    def _connect(self) -> None:
        self.client = NodeShell(self._info).client()
        self.ftp: Any = self.client.open_sftp()
