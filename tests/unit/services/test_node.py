from __future__ import annotations

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.services.node import node_port, part_of


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
