from __future__ import annotations

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services import node as node_module
from incorta_provider.services.node import IncortaNode, node_port, part_of
from incorta_provider.services.ports import Port
from incorta_provider.ssh.shell import Completed


@pytest.mark.parametrize(
    ("service", "part"),
    [
        ("loaderService", "loader"),
        ("Loader-2", "loader"),
        ("analyticsService", "analytics"),
        ("ANALYTICS", "analytics"),
        ("notebook", None),
        ("", None),
    ],
)
def test_what_kind_of_service_a_name_stands_for(service, part):
    assert part_of(service) == part


@pytest.mark.parametrize(("part", "port"), [("agent", 4500), ("cmc", 6060), ("loader", 8081), ("analytics", 8080)])
@pytest.mark.parametrize("extra", [None, "", 14500, "14500"])
def test_a_port_is_set_or_that_of_an_unchanged_installation(part, port, extra):
    info = ConnectionInfo("node1", extra={} if extra is None else {f"{part}_port": extra})
    assert node_port(info, part) == (14500 if extra else port)


@pytest.mark.parametrize("extra", ["x", -1, 0, 65536, 80.5, True])
def test_what_is_no_port_is_refused(extra):
    with pytest.raises(ConfigurationError, match="connection node1"):
        node_port(ConnectionInfo("node1", extra={"agent_port": extra}), "agent")


class Shell:
    """A shell in which every script ends well."""

    def __init__(self, info: ConnectionInfo) -> None: ...


@pytest.mark.parametrize(
    ("state", "stopped"), [(Port.CLOSED, True), (Port.UNKNOWN, False)], ids=["refuses", "neither answers nor refuses"]
)
def test_only_a_port_that_refuses_proves_that_a_part_is_stopped(monkeypatch, state, stopped):
    monkeypatch.setattr(node_module, "NodeShell", Shell)
    monkeypatch.setattr(node_module, "run_once", lambda *_: Completed(0, "", ""))
    monkeypatch.setattr(node_module, "probe", lambda *_: (state, ""))
    node = IncortaNode(ConnectionInfo("node1", host="127.0.0.1", extra={"home": "/opt/incorta"}))
    if stopped:
        node.stop_service("loaderService")
        return
    with pytest.raises(TransientError, match=r"loader is not proven .* after IncortaNode/stopService\.sh"):
        node.stop_service("loaderService")
