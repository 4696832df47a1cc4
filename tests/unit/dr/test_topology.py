"""A topology that could mix two sites up, or could not be carried out, is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incorta_provider.dr.topology import Group, Topology

Document = dict[str, Any]
Fresh = Callable[[], Document]

UNFENCED = "its database is not fenced when a cutover takes the role from it"


def group_of(document: Document) -> Document:
    found: Document = document["groups"]["acme"]
    return found


def site_of(document: Document, name: str = "newyork") -> Document:
    found: Document = group_of(document)["sites"][name]
    return found


def refusal(document: Document) -> str:
    with pytest.raises(ValidationError) as refused:
        Topology.model_validate(document)
    return "; ".join(str(error["msg"]) for error in refused.value.errors())


def test_a_right_topology_is_read_as_it_stands(group: Group) -> None:
    assert group.primary == "berlin"
    assert group.dr_sites == ["newyork"]
    berlin = group.sites["berlin"]
    assert berlin.storage == "file:///mnt/berlin/Tenants"
    assert (berlin.metadata.conn_id, berlin.metadata.schema_name) == ("berlin_metadata", "incorta")
    assert [(node.conn_id, node.services) for node in berlin.nodes] == [
        ("berlin_node1", ("loaderService", "analyticsService")),
        ("berlin_node2", ("loaderService",)),
    ]
    assert (berlin.cmc.cluster, berlin.cmc.node, berlin.analytics.tenant) == ("acme", "berlin_node1", "acme")
    assert group.replication.schedule == "*/5 * * * *"
    assert group.replication.exclude == ("*/.tmp/*",)
    assert [(rule.table, rule.column, rule.value) for rule in group.metadata.rewrite] == [
        ("TENANT", "PATH", "tenants_path")
    ]
    assert (group.objectives.rpo_seconds, group.objectives.rto_seconds) == (300, 900)
    assert (group.approval.conn_id, group.approval.timeout_seconds) == ("acme_approval", 3600)


def test_the_connections_of_a_site_are_known(group: Group) -> None:
    assert group.sites["berlin"].conn_ids == {
        "berlin_metadata",
        "berlin_zookeeper",
        "berlin_cmc",
        "berlin_analytics",
        "berlin_node1",
        "berlin_node2",
    }


def test_what_may_be_left_out_has_a_default_that_is_told(document: Fresh) -> None:
    spoiled = document()
    for name in ("replication", "metadata", "objectives"):
        del group_of(spoiled)[name]
    for site in ("berlin", "newyork"):
        del site_of(spoiled, site)["values"]
    del group_of(spoiled)["approval"]["timeout_seconds"]
    group = Topology.model_validate(spoiled).groups["acme"]
    assert (group.replication.schedule, group.replication.exclude) == ("*/15 * * * *", ())
    assert (group.objectives.rpo_seconds, group.objectives.rto_seconds) == (3600, 3600)
    assert group.approval.timeout_seconds == 3600
    assert group.warnings() == [
        "no metadata.references: a file that the metadata names could be missing unnoticed",
        "no metadata.rewrite: nothing is rewritten at a cutover",
        *(f"no metadata.fence_conn_id of {site}: {UNFENCED}" for site in ("berlin", "newyork")),
    ]


def test_a_right_topology_has_no_warnings(document: Fresh) -> None:
    whole = document()
    for site in ("berlin", "newyork"):
        site_of(whole, site)["metadata"]["fence_conn_id"] = f"{site}_metadata_fence"
    group = Topology.model_validate(whole).groups["acme"]
    assert group.warnings() == []
    assert {"berlin_metadata", "berlin_metadata_fence"} <= group.sites["berlin"].conn_ids


def test_the_account_that_fences_must_be_another_one_than_incortas(document: Fresh) -> None:
    spoiled = document()
    site_of(spoiled, "berlin")["metadata"]["fence_conn_id"] = "berlin_metadata"
    assert "a fence locks Incorta's account" in refusal(spoiled)


def test_a_topology_cannot_be_changed(group: Group) -> None:
    with pytest.raises(ValidationError):
        group.primary = "newyork"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["berlin", "b", "0", "a-b_c", "x" * 40])
def test_a_plain_name_is_allowed(document: Fresh, name: str) -> None:
    renamed = document()
    renamed["groups"] = {name: group_of(renamed)}
    assert list(Topology.model_validate(renamed).groups) == [name]


@pytest.mark.parametrize("name", ["", "Berlin", "_a", "-a", "a b", "a/b", "a.b", "ä", "berlin\n", "..", "x" * 41])
def test_a_name_that_is_no_plain_word_is_refused(document: Fresh, name: str) -> None:
    renamed = document()
    renamed["groups"] = {name: group_of(renamed)}
    assert "should match pattern" in refusal(renamed)


@pytest.mark.parametrize("url", ["", "/mnt/x", "file:/mnt/x", "://x", "s3://", "FILE:///x"])
def test_a_storage_that_is_no_url_is_refused(document: Fresh, url: str) -> None:
    spoiled = document()
    site_of(spoiled)["storage"] = url
    assert "should match pattern" in refusal(spoiled)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("objectives", "rpo_seconds", 0),
        ("objectives", "rto_seconds", -1),
        ("approval", "timeout_seconds", 59),
        ("replication", "schedule", ""),
        ("approval", "conn_id", ""),
    ],
)
def test_a_number_or_text_out_of_bounds_is_refused(document: Fresh, part: str, key: str, value: object) -> None:
    spoiled = document()
    group_of(spoiled)[part][key] = value
    assert "should" in refusal(spoiled)


def test_the_smallest_numbers_are_allowed(document: Fresh) -> None:
    smallest = document()
    group_of(smallest)["objectives"] = {"rpo_seconds": 1, "rto_seconds": 1}
    group_of(smallest)["approval"]["timeout_seconds"] = 60
    group = Topology.model_validate(smallest).groups["acme"]
    assert (group.objectives.rpo_seconds, group.approval.timeout_seconds) == (1, 60)


def test_a_group_needs_two_sites_and_a_site_a_node(document: Fresh) -> None:
    lonely = document()
    del group_of(lonely)["sites"]["newyork"]
    assert "at least 2 items" in refusal(lonely)
    bare = document()
    site_of(bare)["nodes"] = []
    assert "at least 1 item" in refusal(bare)
    assert "at least 1 item" in refusal({"groups": {}})


def test_the_primary_is_one_of_the_sites(document: Fresh) -> None:
    spoiled = document()
    group_of(spoiled)["primary"] = "paris"
    assert refusal(spoiled) == "Value error, primary 'paris' is not one of the sites ['berlin', 'newyork']"


def test_the_cmc_runs_on_one_of_the_nodes(document: Fresh) -> None:
    spoiled = document()
    site_of(spoiled)["cmc"]["node"] = "berlin_node1"
    told = "cmc.node 'berlin_node1' is not one of the nodes ['newyork_node1', 'newyork_node2']"
    assert refusal(spoiled) == f"Value error, {told}"


def test_a_rewrite_rule_needs_its_value_at_every_site(document: Fresh) -> None:
    spoiled = document()
    del site_of(spoiled)["values"]["tenants_path"]
    assert refusal(spoiled) == (
        "Value error, rewrite rule for TENANT.PATH uses value 'tenants_path', which site(s) newyork do not define"
    )


@pytest.mark.parametrize(
    ("storage", "catalog"),
    [
        ("file:///mnt/ny", "file:///mnt/ny"),
        ("file:///mnt/ny/", "file:///mnt/ny"),
        ("file:///mnt/ny", "file:///mnt/ny/catalog"),
        ("file:///mnt/ny/catalog/Tenants", "file:///mnt/ny/catalog"),
        ("file:///mnt/ny", "file:///mnt//ny/./catalog"),
        ("file:///mnt/ny", "file:///mnt/other/../ny/catalog"),
        ("file:///", "file:///mnt/ny"),
    ],
)
def test_the_catalog_lies_outside_the_replica(document: Fresh, storage: str, catalog: str) -> None:
    spoiled = document()
    site_of(spoiled).update(storage=storage, catalog=catalog)
    assert f"catalog {catalog} and storage {storage} must not lie inside each other" in refusal(spoiled)


def test_a_folder_whose_name_only_begins_alike_is_another(document: Fresh) -> None:
    alike = document()
    site_of(alike).update(storage="file:///mnt/ny", catalog="file:///mnt/ny-catalog")
    assert Topology.model_validate(alike).groups["acme"].sites["newyork"].catalog == "file:///mnt/ny-catalog"


@pytest.mark.parametrize("what", ["storage", "catalog"])
@pytest.mark.parametrize("other", ["storage", "catalog"])
@pytest.mark.parametrize("below", ["", "/", "/below"])
def test_two_sites_share_no_folder(document: Fresh, what: str, other: str, below: str) -> None:
    """An apply at one site would move the files of the other away as foreign."""
    spoiled = document()
    shared = site_of(spoiled, "berlin")[other]
    site_of(spoiled)[what] = shared + below
    told = f"sites berlin and newyork: {shared} and {shared}{below} must not be the same or lie inside each other"
    assert told in refusal(spoiled)


@pytest.mark.parametrize("path", [("metadata",), ("zookeeper",), ("cmc",), ("analytics",), ("nodes", 1)])
def test_two_sites_share_no_server(document: Fresh, path: tuple[Any, ...]) -> None:
    """Fencing one site would stop the other; one registry for both would say what both want to hear."""
    spoiled = document()
    mine, theirs = site_of(spoiled), site_of(spoiled, "berlin")
    for step in path:
        mine, theirs = mine[step], theirs[step]
    mine["conn_id"] = theirs["conn_id"]
    assert refusal(spoiled) == f"Value error, sites berlin and newyork have the same connection {theirs['conn_id']}"


@pytest.mark.parametrize(
    ("old", "new"), [("/mnt/data", "/mnt/data-dr"), ("mail.example", "dr.mail.example"), ("a", "http://bay")]
)
def test_a_value_that_holds_the_other_sites_is_refused(document: Fresh, old: str, new: str) -> None:
    """A rewrite that is repeated would rewrite its own result, and the scan would take it for the source's."""
    spoiled = document()
    site_of(spoiled, "berlin")["values"] = {"tenants_path": old}
    site_of(spoiled)["values"] = {"tenants_path": new}
    told = f"value {new!r} of site newyork contains value tenants_path {old!r} of site berlin"
    assert told in refusal(spoiled)


def test_a_value_that_both_sites_share_is_allowed(document: Fresh) -> None:
    same = document()
    for name in ("berlin", "newyork"):
        site_of(same, name)["values"]["smtp_host"] = "mail.example"
    assert Topology.model_validate(same).groups["acme"].sites["berlin"].values["smtp_host"] == "mail.example"


def another_group(document: Document) -> Document:
    """Add a second group whose sites have names, servers and folders of their own."""
    text = {"berlin": "rome", "newyork": "boston"}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {renamed(key): renamed(part) for key, part in value.items()}
        if isinstance(value, list):
            return [renamed(part) for part in value]
        if isinstance(value, str):
            for old, new in text.items():
                value = value.replace(old, new)
        return value

    second: Document = renamed(group_of(document))
    document["groups"]["globex"] = second
    return second


def test_two_groups_with_sites_of_their_own_are_allowed(document: Fresh) -> None:
    two = document()
    another_group(two)
    assert list(Topology.model_validate(two).groups) == ["acme", "globex"]


@pytest.mark.parametrize("what", ["storage", "catalog"])
def test_two_groups_share_no_folder(document: Fresh, what: str) -> None:
    """Recovery points of two clusters in one catalog would be promoted for each other."""
    two = document()
    another_group(two)["sites"]["boston"][what] = shared = site_of(two)[what]
    told = f"acme.newyork and globex.boston: {shared} and {shared} must not be the same or lie inside each other"
    assert told in refusal(two)


def test_two_groups_share_a_database_server_but_no_schema(document: Fresh) -> None:
    two = document()
    metadata = another_group(two)["sites"]["boston"]["metadata"]
    metadata.update(conn_id="newyork_metadata")
    assert "acme.newyork and globex.boston have the same metadata schema incorta" in refusal(two)
    metadata.update(schema="globex")
    assert Topology.model_validate(two).groups["globex"].sites["boston"].metadata.schema_name == "globex"


parts = st.sampled_from(["a", "b", "c", ".", "..", ""])
urls = st.lists(parts, min_size=1, max_size=5).map(lambda names: "file:///" + "/".join(["x", *names]))


@given(storage=urls, catalog=urls)
def test_overlap_is_what_a_naive_walk_finds(document: Fresh, storage: str, catalog: str) -> None:
    def walked(url: str) -> list[str]:
        names: list[str] = []
        for name in url.removeprefix("file:///").split("/"):
            if name == "..":
                del names[-1:]
            elif name not in {"", "."}:
                names.append(name)
        return names

    one, other = walked(storage), walked(catalog)
    shorter = min(len(one), len(other))
    inside = one[:shorter] == other[:shorter]
    drawn = document()
    site_of(drawn).update(storage=storage, catalog=catalog)
    site_of(drawn)["values"] = site_of(drawn, "berlin")["values"] = {"tenants_path": "same"}
    if inside:
        assert f"catalog {catalog} and storage {storage} must not lie inside each other" in refusal(drawn)
    else:
        assert Topology.model_validate(drawn).groups["acme"].sites["newyork"].storage == storage


@pytest.mark.parametrize("catalog", ["s3://bucket/catalog", "ssh://node/catalog"])
def test_a_catalog_that_is_not_mounted_is_refused(document: Fresh, catalog: str) -> None:
    spoiled = document()
    site_of(spoiled)["catalog"] = catalog
    assert "must be a folder mounted at the workers" in refusal(spoiled)


def test_a_vault_inside_the_replica_or_shared_with_a_site_is_refused(document: Fresh) -> None:
    spoiled = document()
    site_of(spoiled).update(storage="ssh://node/srv/Tenants", vault="ssh://node/srv/Tenants/vault")
    assert "vault ssh://node/srv/Tenants/vault and storage ssh://node/srv/Tenants must not lie" in refusal(spoiled)
    site_of(spoiled).update(vault=site_of(spoiled, "berlin")["storage"])
    assert "must not be the same or lie inside each other" in refusal(spoiled)


def test_a_copy_is_limited_watched_and_split_as_the_topology_says(document: Fresh) -> None:
    drawn = document()
    drawn["groups"]["acme"]["replication"] = {
        "bandwidth": "20MB",
        "stall_seconds": 120,
        "shard_bytes": "1.5 GiB",
        "shard_files": 1000,
    }
    found = Topology.model_validate(drawn).groups["acme"].replication
    assert (found.bandwidth, found.stall_seconds) == (20_000_000, 120)
    assert (found.shard_bytes, found.shard_files) == (1_610_612_736, 1000)
    usual = Topology.model_validate(document()).groups["acme"].replication
    assert (usual.bandwidth, usual.stall_seconds) == (None, 600)
    assert (usual.shard_bytes, usual.shard_files) == (50 * 10**9, 500_000)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("bandwidth", "20 Mbit", "'20 Mbit' is not a size such as 20MB"),
        ("bandwidth", 0, "0 is not a size"),
        ("shard_bytes", "much", "'much' is not a size"),
        ("stall_seconds", 5, "greater than or equal to 30"),
        ("shard_files", 0, "greater than or equal to 1"),
    ],
)
def test_a_limit_that_is_none_is_refused(document: Fresh, key: str, value: object, reason: str) -> None:
    spoiled = document()
    spoiled["groups"]["acme"]["replication"] = {key: value}
    assert reason in refusal(spoiled)


def test_object_lock_is_for_buckets_only(document: Fresh) -> None:
    spoiled = document()
    site_of(spoiled).update(object_lock={"days": 3})
    assert "object_lock is only for a bucket" in refusal(spoiled)
    site_of(spoiled).update(storage="s3://aws_dr@acme/Tenants")
    lock = Topology.model_validate(spoiled).groups["acme"].sites["newyork"].object_lock
    assert lock is not None
    assert (lock.mode, lock.days) == ("GOVERNANCE", 3)
    site_of(spoiled).update(object_lock={"mode": "NONE", "days": 0})
    assert "GOVERNANCE" in refusal(spoiled)


def test_an_account_that_takes_a_definers_place_must_be_one(document: Fresh) -> None:
    made = document()
    group_of(made)["metadata"]["definers"] = {"app@%": "incorta@%", "*": "@%"}
    assert "'@%' is not an account: write user@host" in refusal(made)
    group_of(made)["metadata"]["definers"]["*"] = "@%, invoker"
    assert "is not an account: write user@host" in refusal(made)
    group_of(made)["metadata"]["definers"]["*"] = "incorta@%"
    assert Topology.model_validate(made).groups["acme"].metadata.definers["*"] == "incorta@%"


class TestReplica:
    """Metadata by a replica, as a second way."""

    @staticmethod
    def asked(document: Document) -> Document:
        group_of(document)["metadata"]["replica"] = {}
        for name in ("berlin", "newyork"):
            site_of(document, name)["metadata"]["replica_conn_id"] = f"{name}_replica"
        return document

    def test_it_is_asked_for_with_an_account_at_each_site(self, document: Fresh) -> None:
        group = Topology.model_validate(self.asked(document())).groups["acme"]
        assert group.metadata.replica is not None
        assert group.metadata.replica.wait_seconds == 300
        assert {"berlin_metadata", "berlin_replica"} <= group.sites["berlin"].conn_ids
        assert Topology.model_validate(document()).groups["acme"].metadata.replica is None

    def test_a_site_without_an_account_is_named(self, document: Fresh) -> None:
        wrong = self.asked(document())
        del site_of(wrong)["metadata"]["replica_conn_id"]
        assert "metadata.replica is set, and site(s) newyork have no replica_conn_id" in refusal(wrong)

    def test_the_sites_share_no_account(self, document: Fresh) -> None:
        wrong = self.asked(document())
        site_of(wrong)["metadata"]["replica_conn_id"] = "berlin_replica"
        assert "have the same connection berlin_replica" in refusal(wrong)

    @pytest.mark.parametrize("other", [{"mapping": {}}, {"definers": {"*": "incorta@%"}}])
    def test_it_goes_with_nothing_that_would_make_it_another(self, document: Fresh, other: Document) -> None:
        wrong = self.asked(document())
        group_of(wrong)["metadata"].update(other)
        assert "metadata.replica goes with neither mapping nor definers" in refusal(wrong)


def test_a_dump_is_made_at_a_member_and_by_a_node_of_the_site(document: Fresh) -> None:
    asked = document()
    site_of(asked, "berlin")["metadata"].update(dump_conn_id="berlin_member", dump_node="berlin_node2")
    berlin = Topology.model_validate(asked).groups["acme"].sites["berlin"]
    assert {"berlin_metadata", "berlin_member"} <= berlin.conn_ids
    site_of(asked, "berlin")["metadata"]["dump_node"] = "newyork_node1"
    assert "metadata.dump_node 'newyork_node1' is not one of the nodes" in refusal(asked)
