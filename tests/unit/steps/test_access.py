from __future__ import annotations

import pytest

from incorta_provider.dr.topology import Topology
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.steps.access import group_access, utc_now
from tests.builders.group import PASSWORD, Bench, topology_document


def test_the_clock_is_aware_and_in_utc() -> None:
    assert utc_now().utcoffset() is not None
    assert str(utc_now().tzinfo) == "UTC"


def test_an_unknown_group_is_told_with_those_there_are(bench: Bench) -> None:
    topology = Topology.model_validate(topology_document(bench.root))
    with pytest.raises(ConfigurationError, match="there is no protection group 'acne', only acme"):
        group_access(topology, "acne", bench.access.connections)


def test_an_unknown_site_is_told_with_those_there_are(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="group acme has no site 'tokyo', only berlin, newyork"):
        bench.access.site("tokyo")


def test_a_site_leads_to_its_own_folders_and_connections(bench: Bench) -> None:
    site = bench.access.site("newyork")
    assert site.target.label == str(bench.root / "newyork" / "storage")
    assert site.catalog.root == bench.root / "newyork" / "catalog"
    assert site.ledger.path == bench.root / "newyork" / "catalog" / "ledger.jsonl"
    assert [info.conn_id for info in (site.zookeeper, site.cmc, site.analytics)] == [
        "newyork_zookeeper",
        "newyork_cmc",
        "newyork_analytics",
    ]
    assert (site.database.schema, site.database.site) == ("incorta", "newyork")


def test_nothing_is_looked_up_before_it_is_needed(bench: Bench) -> None:
    bench.absent.update(site for site in ("newyork_cmc", "newyork_metadata"))
    site = bench.access.site("newyork")
    assert site.zookeeper.conn_id == "newyork_zookeeper"
    with pytest.raises(ConfigurationError, match="no connection 'newyork_cmc'"):
        _ = site.cmc


def test_a_secret_is_in_no_repr(bench: Bench) -> None:
    site = bench.access.site("newyork")
    assert PASSWORD not in f"{site!r}{site.database!r}{site.zookeeper!r}{bench.access!r}"


def test_a_storage_that_is_not_supported_is_refused_when_it_is_used(bench: Bench) -> None:
    document = topology_document(bench.root)
    document["groups"]["acme"]["sites"]["newyork"]["storage"] = "gopher://bucket/tenants"
    access = group_access(Topology.model_validate(document), "acme", bench.access.connections)
    site = access.site("newyork")
    for use in (lambda: site.target, lambda: site.tree(())):
        with pytest.raises(ConfigurationError, match="gopher"):
            use()
