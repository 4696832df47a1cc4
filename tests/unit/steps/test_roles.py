from __future__ import annotations

import pytest

from incorta_provider.dr.epoch import Role, RoleState, first_role, promoting_role
from incorta_provider.exceptions import ConfigurationError, PreconditionError, TransientError
from incorta_provider.steps.roles import initialise_roles, role_at
from tests.builders.group import NOON, SITES, Bench


@pytest.fixture
def fresh(bench: Bench) -> Bench:
    """Return the sites before anybody initialised their registries."""
    for site in SITES:
        bench.ensembles.session(site).nodes.clear()
    return bench


def test_before_the_first_initialisation_there_is_no_role(fresh: Bench) -> None:
    assert role_at(fresh.access, fresh.access.site("berlin")) is None


def test_both_sites_get_the_same_first_role(fresh: Bench) -> None:
    found = initialise_roles(fresh.access, active="berlin", by="dana")
    expected = Role(group="acme", epoch=1, active="berlin", changed_by="dana", run_id="init", changed_at=NOON)
    assert found == {"berlin": expected, "newyork": expected}
    assert [fresh.ensembles.role(site) for site in SITES] == [expected, expected]
    assert expected.state is RoleState.STEADY


def test_a_second_time_changes_nothing_and_shows_what_stands(fresh: Bench) -> None:
    first = initialise_roles(fresh.access, active="berlin", by="dana")
    fresh.clock.go_on(60)
    assert initialise_roles(fresh.access, active="berlin", by="omar") == first


def test_a_site_that_was_not_reached_the_first_time_gets_the_role_of_the_other(fresh: Bench) -> None:
    fresh.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(TransientError, match="no quorum"):
        initialise_roles(fresh.access, active="berlin", by="dana")
    fresh.ensembles.set_role("berlin", first_role("acme", "berlin", by="dana", at=NOON))
    fresh.ensembles.down.clear()
    fresh.clock.go_on(60)
    found = initialise_roles(fresh.access, active="berlin", by="omar")
    assert found["newyork"] == found["berlin"]
    assert found["newyork"].changed_by == "dana"


def test_nothing_is_written_while_one_site_cannot_be_asked(fresh: Bench) -> None:
    fresh.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(TransientError):
        initialise_roles(fresh.access, active="berlin", by="dana")
    assert fresh.ensembles.session("berlin").nodes == {}


def test_another_active_site_is_refused_and_nothing_is_written(fresh: Bench) -> None:
    fresh.ensembles.set_role("newyork", first_role("acme", "newyork", by="dana", at=NOON))
    with pytest.raises(PreconditionError, match=r"newyork is active \(epoch 1\) \[ZooKeeper of site newyork\]"):
        initialise_roles(fresh.access, active="berlin", by="dana")
    assert fresh.ensembles.session("berlin").nodes == {}


def test_roles_that_a_cutover_changed_are_not_initialised_again(bench: Bench) -> None:
    changed = promoting_role(bench.ensembles.role("newyork"), "newyork", by="hana", run_id="m1", at=NOON)
    bench.ensembles.set_role("newyork", changed)
    with pytest.raises(PreconditionError, match="Roles change by a cutover only"):
        initialise_roles(bench.access, active="newyork", by="dana")
    assert bench.ensembles.role("newyork") == changed


def test_an_unknown_site_cannot_be_active(fresh: Bench) -> None:
    with pytest.raises(ConfigurationError, match="no site 'tokyo'"):
        initialise_roles(fresh.access, active="tokyo", by="dana")
    assert fresh.ensembles.session("berlin").nodes == {}
