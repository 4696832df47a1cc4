"""The blocks ``retention``, ``breaker`` and ``verify`` of a topology, and the mount point of a site."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from incorta_provider.dr.breaker import Limits
from incorta_provider.dr.retention import Tier
from incorta_provider.dr.topology import Group, Topology, Verify
from incorta_provider.dr.topology_text import parse_topology
from incorta_provider.exceptions import ConfigurationError

Document = dict[str, Any]


def group_with(document: Callable[[], Document], **blocks: Any) -> Group:
    made = document()
    made["groups"]["acme"].update(blocks)
    return Topology.model_validate(made).groups["acme"]


def refused(topology_text: str, addition: str) -> str:
    """Return what the parser says of a right text with more lines in the group."""
    with pytest.raises(ConfigurationError) as caught:
        parse_topology(topology_text + addition, "dr.yaml")
    return caught.value.what


def test_without_them_nothing_is_dropped_and_much_is_allowed(group: Group) -> None:
    assert group.retention is None
    assert group.breaker == Limits()
    assert (group.breaker.max_removed_percent, group.breaker.allow_files, group.breaker.marker) == (40, 100, None)
    assert group.verify == Verify(schedule="0 3 * * *", sample_days=30, repair=False)
    assert group.sites["berlin"].mount_point is None


def test_they_are_read_as_they_stand(topology_text: str) -> None:
    text = (
        topology_text
        + """\
    retention:
      count: 5
      age: 30 m
      tiers:
        - {within: 2 h}
        - {within: 1 d, every: 1 h}
        - {within: 2 w, every: 1 d}
    breaker: {max_removed_percent: 20, max_changed_files: 1000, min_files: 10, marker: .incorta-dr}
    verify: {schedule: "30 2 * * 0", sample_days: 7, repair: true}
"""
    )
    group = parse_topology(text, "dr.yaml").groups["acme"]
    assert group.retention is not None
    assert (group.retention.count, group.retention.age) == (5, timedelta(minutes=30))
    assert group.retention.tiers == (
        Tier(within=timedelta(hours=2)),
        Tier(within=timedelta(days=1), every=timedelta(hours=1)),
        Tier(within=timedelta(days=14), every=timedelta(days=1)),
    )
    assert (group.breaker.max_removed_percent, group.breaker.max_changed_files) == (20, 1000)
    assert (group.breaker.min_files, group.breaker.marker) == (10, ".incorta-dr")
    assert group.verify == Verify(schedule="30 2 * * 0", sample_days=7, repair=True)


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ("    retention: {count: 0}\n", "groups.acme.retention.count: Input should be greater than or equal to 1"),
        (
            "    retention: {age: soon}\n",
            "groups.acme.retention.age: 'soon' is not a duration; write a number and m, h",
        ),
        ("    retention: {keep: 3}\n", "groups.acme.retention.keep: unknown key 'keep'"),
        (
            "    retention:\n      tiers:\n        - {within: 1 h, every: 1 d}\n",
            "groups.acme.retention.tiers.0: a tier that reaches back 1 h has no slot of 1 d",
        ),
        ("    breaker: {max_removed_percent: 120}\n", "groups.acme.breaker.max_removed_percent: Input should be less"),
        ("    breaker: {marker: /mnt/x}\n", "groups.acme.breaker.marker: String should match pattern"),
        (
            "    verify: {sample_days: 0}\n",
            "groups.acme.verify.sample_days: Input should be greater than or equal to 1",
        ),
    ],
)
def test_a_fault_is_told_with_its_line_and_key(topology_text: str, addition: str, told: str) -> None:
    line = (topology_text + addition).count("\n")
    assert f"dr.yaml:{line}: {told}" in refused(topology_text, addition)


@pytest.mark.parametrize(
    ("storage", "mount_point", "fits"),
    [
        ("file:///mnt/newyork/Tenants", "/mnt/newyork", True),
        ("file:///mnt/newyork/Tenants", "/mnt/newyork/Tenants", True),
        ("file:///mnt/newyork/Tenants", "/mnt/new", False),
        ("file:///mnt/newyork/Tenants", "/srv", False),
        ("ssh://newyork_files/mnt/newyork/Tenants", "/mnt/newyork", True),
        ("ssh://newyork_files/mnt/newyork/Tenants", "/mnt/new", False),
        ("ssh://newyork_files/mnt/newyork/Tenants", "/newyork_files", False),
        ("s3://newyork/mnt/newyork/Tenants", "/mnt/newyork", False),
    ],
)
def test_the_storage_lies_on_its_mount(
    document: Callable[[], Document], storage: str, mount_point: str, fits: bool
) -> None:
    made = document()
    made["groups"]["acme"]["sites"]["newyork"].update(storage=storage, mount_point=mount_point)
    if fits:
        assert Topology.model_validate(made).groups["acme"].sites["newyork"].mount_point == mount_point
    else:
        with pytest.raises(ValueError, match=f"storage {storage} is not below the mount point {mount_point}"):
            Topology.model_validate(made)


@pytest.mark.parametrize("mount_point", ["mnt/newyork", "/mnt/newyork/", "/", ""])
def test_a_mount_point_is_an_absolute_path(document: Callable[[], Document], mount_point: str) -> None:
    made = document()
    made["groups"]["acme"]["sites"]["newyork"]["mount_point"] = mount_point
    with pytest.raises(ValueError, match="String should match pattern"):
        Topology.model_validate(made)


def test_a_group_may_have_some_of_them(document: Callable[[], Document]) -> None:
    assert group_with(document, retention={}).retention is not None
    assert group_with(document, breaker={"allow_files": 0}).breaker.max_changed_percent == 50
