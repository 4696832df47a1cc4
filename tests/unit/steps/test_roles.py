from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.coordination.session import Stored
from incorta_provider.dr.epoch import Role, RoleState, first_role, promoting_role
from incorta_provider.exceptions import (
    ConfigurationError,
    FencingError,
    PreconditionError,
    SiteIsActive,
    TransientError,
)
from incorta_provider.steps import roles
from incorta_provider.steps.roles import (
    adopt_role,
    copy_role,
    ensure_replica,
    initialise_roles,
    role_at,
    roles_that_answer,
    tell,
)
from tests.builders.group import NOON, SITES, Bench, MemorySession, sealed_point


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
    with pytest.raises(PreconditionError, match="Only a cutover changes roles"):
        initialise_roles(bench.access, active="newyork", by="dana")
    assert bench.ensembles.role("newyork") == changed


def test_an_unknown_site_cannot_be_active(fresh: Bench) -> None:
    with pytest.raises(ConfigurationError, match="no site 'tokyo'"):
        initialise_roles(fresh.access, active="tokyo", by="dana")
    assert fresh.ensembles.session("berlin").nodes == {}


def role(epoch: int, run_id: str = "m1", **changes: object) -> Role:
    made = Role(
        group="acme", epoch=epoch, active="newyork", fenced="berlin", changed_by="a", run_id=run_id, changed_at=NOON
    )
    return made.model_copy(update=changes)


@pytest.mark.parametrize(
    "known",
    [role(1), role(2, state=RoleState.PROMOTING), role(2), role(1, active="berlin", run_id="init")],
)
def test_a_registry_is_told_what_is_newer_or_goes_on_in_the_same_run(bench: Bench, known: Role) -> None:
    bench.ensembles.set_role("berlin", known)
    copy_role(bench.access, bench.access.site("berlin"), role(2))
    assert bench.ensembles.role("berlin") == role(2)


def test_an_empty_registry_is_told(fresh: Bench) -> None:
    copy_role(fresh.access, fresh.access.site("berlin"), role(2))
    assert fresh.ensembles.role("berlin") == role(2)


@pytest.mark.parametrize("known", [role(3), role(2, "m2"), role(2, "m2", active="berlin")])
def test_a_registry_that_knows_better_is_left_alone(bench: Bench, known: Role) -> None:
    bench.ensembles.set_role("berlin", known)
    with pytest.raises(FencingError, match=f"its registry is at epoch {known.epoch}, {known.active} active by run"):
        copy_role(bench.access, bench.access.site("berlin"), role(2))
    assert bench.ensembles.role("berlin") == known


def test_who_could_not_be_told_is_named_with_the_reason_and_the_others_are_told(bench: Bench) -> None:
    bench.ensembles.down.add("berlin_zookeeper")
    assert tell(bench.access, ["berlin", "newyork"], role(2)) == {
        "berlin": "no quorum: 0 of 1 members serve, no leader (berlin_zookeeper:2181 is down)"
    }
    assert bench.ensembles.role("newyork") == role(2)


def test_only_sites_that_answer_and_know_a_role_are_in_the_answer(bench: Bench) -> None:
    assert list(roles_that_answer(bench.access)) == ["berlin", "newyork"]
    bench.ensembles.down.add("berlin_zookeeper")
    assert list(roles_that_answer(bench.access)) == ["newyork"]
    bench.ensembles.session("newyork").nodes.clear()
    assert roles_that_answer(bench.access) == {}


class CutOff(MemorySession):
    """Was kept while its member was lost.

    :param is_connected: whether the loss is still to be noticed.
    """

    def __init__(self, *, is_connected: bool) -> None:
        super().__init__()
        self.is_connected = is_connected

    def read(self, path: str) -> Stored | None:
        self.is_connected = False
        raise TransientError(f"ZooKeeper did not answer about {path}: ConnectionLoss")


@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_site_is_not_skipped_for_a_kept_session_that_was_cut_off(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_noticed: bool
) -> None:
    sessions = [CutOff(is_connected=True), bench.ensembles.session("newyork")]

    @contextmanager
    def connect(info: ConnectionInfo) -> Iterator[MemorySession]:
        yield sessions.pop(0) if info.conn_id == "newyork_zookeeper" else bench.ensembles.session("berlin")

    monkeypatch.setattr(roles, "connect", connect)
    newyork = bench.access.site("newyork")
    with bench.access.kept.keeping():
        with bench.access.kept.lend(newyork.zookeeper, connect) as kept:
            assert isinstance(kept, CutOff)
            kept.is_connected = not is_noticed
        assert list(roles_that_answer(bench.access)) == ["berlin", "newyork"]
    assert sessions == []


def test_an_ensemble_that_answers_to_no_session_is_not_asked_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[CutOff]()

    @contextmanager
    def connect(_: ConnectionInfo) -> Iterator[CutOff]:
        opened.append(CutOff(is_connected=True))
        yield opened[-1]

    monkeypatch.setattr(roles, "connect", connect)
    with bench.access.kept.keeping(), pytest.raises(TransientError, match="ConnectionLoss"):
        role_at(bench.access, bench.access.site("newyork"))
    assert len(opened) == 2
    with pytest.raises(TransientError, match="ConnectionLoss"):
        role_at(bench.access, bench.access.site("newyork"))
    assert len(opened) == 3


def test_an_empty_registry_takes_the_role_of_the_one_that_answers(bench: Bench) -> None:
    bench.ensembles.session("newyork").nodes.clear()
    bench.ensembles.set_role("berlin", role(4))
    adopted = adopt_role(bench.access, bench.access.site("newyork"), confirmation="", by="dana")
    assert adopted == role(4)
    assert bench.ensembles.role("newyork") == role(4)


def test_with_the_primary_gone_the_newest_point_tells_the_role_and_a_person_confirms_it(fresh: Bench) -> None:
    fresh.ensembles.down.add("berlin_zookeeper")
    point = sealed_point(fresh.catalog, epoch=3)
    site = fresh.access.site("newyork")
    for confirmation in ("", "TRUST another"):
        with pytest.raises(PreconditionError, match="no other registry answers") as caught:
            adopt_role(fresh.access, site, confirmation=confirmation, by="dana")
        assert f"--confirm 'TRUST {point.id}'" in caught.value.fix
    assert fresh.ensembles.session("newyork").nodes == {}
    adopted = adopt_role(fresh.access, site, confirmation=f"TRUST {point.id}", by="dana")
    assert (adopted.epoch, adopted.active, adopted.changed_by) == (3, "berlin", "dana")
    assert fresh.ensembles.role("newyork") == adopted


def test_a_registry_that_has_a_role_adopts_none(bench: Bench) -> None:
    bench.ensembles.set_role("berlin", role(4))
    with pytest.raises(PreconditionError, match=r"the registry has a role: berlin is active \(epoch 1\)"):
        adopt_role(bench.access, bench.access.site("newyork"), confirmation="", by="dana")
    assert bench.ensembles.role("newyork").epoch == 1


def test_a_catalog_on_new_storage_is_marked_and_the_role_kept(bench: Bench) -> None:
    site = bench.access.site("newyork")
    shutil.rmtree(site.catalog.root)
    assert adopt_role(bench.access, site, confirmation="", by="dana") == bench.ensembles.role("newyork")
    assert site.catalog.ensure_there() == {"group": "acme", "site": "newyork"}


def test_a_registry_that_makes_no_sense_is_passed_over(bench: Bench) -> None:
    bench.ensembles.session("berlin").nodes["/incorta_dr/acme/role"] = Stored(b"garbage", 7)
    assert list(roles_that_answer(bench.access)) == ["newyork"]


def test_the_active_site_is_left_alone_by_upkeep_and_a_site_that_cannot_be_asked_is_not(bench: Bench) -> None:
    with pytest.raises(SiteIsActive, match=r"berlin is the active site \(epoch 1\): its recovery points stay"):
        ensure_replica(bench.access, bench.access.site("berlin"))
    ensure_replica(bench.access, bench.access.site("newyork"))
    bench.ensembles.down.add("berlin_zookeeper")
    ensure_replica(bench.access, bench.access.site("berlin"))
