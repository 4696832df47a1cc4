"""Ports and folders never meet."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from lab.layout import DEMO_BASE, SPAN, Lab, LabKind, SiteKind
from lab.testbed import BASES

MEMBERS = {"zookeeper": 3, "zookeeper_quorum": 3, "zookeeper_election": 3, "mysql": 1, "other_mysql": 1, "cmc": 1}


def lab_at(base: int) -> Lab:
    return Lab(Path("/somewhere/.lab"), base)


def test_every_port_has_one_use_within_the_span() -> None:
    lab = lab_at(DEMO_BASE)
    every = [lab.port(kind) for kind in get_args(LabKind)]
    for site in lab.sites:
        for kind in get_args(SiteKind):
            every += [site.port(kind, member) for member in range(1, MEMBERS.get(kind, 2) + 1)]
            if site.drill.port(kind) != site.port(kind):
                every += [site.drill.port(kind, member) for member in range(1, MEMBERS.get(kind, 2) + 1)]
    assert len(every) == len(set(every)) == 2 * (3 * 3 + 3 + 7 * 2 + 6 * 2 + 1) + 7
    assert sorted(every) == sorted(lab.ports())
    assert min(every) > DEMO_BASE
    assert max(every) < DEMO_BASE + SPAN


def test_no_test_run_meets_another_the_demo_or_the_ports_that_the_kernel_gives_away() -> None:
    used = [port for base in [*BASES, DEMO_BASE] for port in lab_at(base).ports()]
    assert len(used) == len(set(used))
    assert max(used) < 32768


def test_ports_say_what_they_are_for() -> None:
    assert lab_at(10000).ports()[10113] == "zookeeper 3 of newyork"


@pytest.mark.parametrize("member", [0, 4])
def test_a_member_that_does_not_exist_has_no_port(member: int) -> None:
    with pytest.raises(ValueError, match="zookeeper has 3 member"):
        lab_at(10000).site("berlin").port("zookeeper", member)


def test_unknown_sites_and_nodes_are_refused() -> None:
    with pytest.raises(ValueError, match="no site 'paris'; there are berlin, newyork"):
        lab_at(10000).site("paris")
    with pytest.raises(ValueError, match="no node 3"):
        lab_at(10000).site("berlin").node(3)


def test_what_must_survive_the_loss_of_a_site_lies_outside_it() -> None:
    lab = lab_at(10000)
    roots = [site.root for site in lab.sites]
    outside = (lab.workload, lab.run, lab.keys, lab.passwords_file, lab.connections_file, lab.topology_file)
    assert not [path for path in outside for root in roots if path.is_relative_to(root)]


def test_everything_of_a_site_lies_in_its_folder() -> None:
    for site in lab_at(10000).sites:
        inside = [site.mariadb, site.zookeeper(1), site.storage, site.catalog, site.outbox]
        inside += [folder for node in site.nodes for folder in (node.home, node.sshd)]
        assert all(path.is_relative_to(site.root) for path in inside)


def test_only_the_first_node_has_the_cmc() -> None:
    assert [node.has_cmc for node in lab_at(10000).site("berlin").nodes] == [True, False]
