"""A node that the topology lacks: told before a planned cutover stops its site, and in the report of any."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.report import node_exceptions
from incorta_provider.services.ports import Port
from incorta_provider.steps.cutover import source_checks
from incorta_provider.steps.cutover.source_checks import unknown_nodes
from tests.builders.group import Bench


@pytest.fixture
def cmc_knows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what makes the CMC of newyork run and know nodes of these names."""

    def knows(*names: str) -> None:
        class Client:
            @classmethod
            def from_connection(cls, info: ConnectionInfo) -> Self:
                assert info.conn_id == "newyork_cmc"
                return cls()

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *error: object) -> None: ...

            def cluster(self, name: str) -> Any:
                assert name == "acme"
                return SimpleNamespace(nodes=[SimpleNamespace(name=each) for each in names])

        monkeypatch.setattr(source_checks, "CmcClient", Client)
        bench.nodes.ports[("newyork_node1", "cmc")] = Port.OPEN

    return knows


def test_more_nodes_than_the_topology_has_are_told_by_name(bench: Bench, cmc_knows: Callable[..., None]) -> None:
    site = bench.access.site("newyork")
    assert unknown_nodes(site) is None, "a CMC that is stopped is not asked"
    cmc_knows("node1", "node2")
    assert unknown_nodes(site) is None
    cmc_knows("node1", "node2", "node3")
    found = unknown_nodes(site)
    assert found == "the CMC knows the nodes node1, node2, node3, the topology 2 of them"
    assert node_exceptions("newyork", {"unknown_nodes": found}) == [
        f"at newyork {found}: what runs at the others was not stopped before the restore"
    ]
    assert node_exceptions("newyork", {}) == node_exceptions("newyork", {"unknown_nodes": None}) == []
