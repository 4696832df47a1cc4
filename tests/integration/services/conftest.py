from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from lab.servers.sshd import Sshd


@pytest.fixture
def sshd(sshd_nodes: dict[str, Sshd]) -> Sshd:
    return sshd_nodes["berlin_node1"]


@pytest.fixture
def node(sshd: Sshd, tmp_path: Path) -> Callable[..., ConnectionInfo]:
    """Make connections to the node; its Incorta home is a folder of the test."""

    def make(**changes: Any) -> ConnectionInfo:
        fields: dict[str, Any] = {
            "conn_id": "berlin_node1",
            "host": sshd.host,
            "port": sshd.port,
            "login": sshd.user,
            "extra": {},
            **changes,
        }
        pinned = {"key_file": str(sshd.key_file), "known_hosts_file": str(sshd.known_hosts), "home": str(tmp_path)}
        extra = {key: value for key, value in {**pinned, **fields.pop("extra")}.items() if value is not None}
        return ConnectionInfo(extra=extra, **fields)

    return make
