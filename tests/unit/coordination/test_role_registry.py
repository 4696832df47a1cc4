from __future__ import annotations

from datetime import UTC, datetime

import pytest

from incorta_provider.coordination.role_registry import RoleRegistry, StoredRole
from incorta_provider.coordination.session import Stored
from incorta_provider.dr.epoch import Role, promoting_role
from incorta_provider.exceptions import FencingError, IntegrityError, PreconditionError

LATER = datetime(2026, 11, 25, 13, 0, tzinfo=UTC)
PATH = "/incorta_dr/acme/role"


def promote(role: Role, target: str = "newyork", run_id: str = "run-1") -> Role:
    return promoting_role(role, target, by="dana", run_id=run_id, at=LATER)


def test_a_registry_is_empty_before_init(session):
    assert RoleRegistry(session, "acme").read() is None


def test_what_was_written_is_read_back(session, role):
    registry = RoleRegistry(session, "acme")
    assert registry.init(role) == StoredRole(role, 0)
    assert registry.read() == StoredRole(role, 0)


def test_init_twice_with_the_same_role_is_a_pass(session, role):
    registry = RoleRegistry(session, "acme")
    registry.init(role)
    assert registry.init(role) == StoredRole(role, 0)


def test_init_refuses_a_registry_that_exists(session, role):
    registry = RoleRegistry(session, "acme")
    registry.init(role)
    with pytest.raises(PreconditionError, match="berlin active, epoch 1, steady, by dana in run init"):
        registry.init(role.model_copy(update={"active": "newyork"}))
    assert registry.read() == StoredRole(role, 0)


def test_a_change_names_what_it_read(session, role):
    registry = RoleRegistry(session, "acme")
    before = registry.init(role)
    after = registry.compare_and_set(before, promote(role))
    assert after == StoredRole(promote(role), 1)
    assert registry.read() == after


def test_of_two_writers_the_second_is_refused(session, role):
    registry = RoleRegistry(session, "acme")
    read_by_both = registry.init(role)
    registry.compare_and_set(read_by_both, promote(role, run_id="first"))
    with pytest.raises(FencingError, match="newyork active, epoch 2, promoting, by dana in run first"):
        registry.compare_and_set(read_by_both, promote(role, run_id="second"))
    assert registry.read() == StoredRole(promote(role, run_id="first"), 1)


def test_a_writer_in_the_middle_of_the_change_wins(session, role):
    registry = RoleRegistry(session, "acme")
    before = registry.init(role)
    session.meanwhile = lambda: registry.compare_and_set(before, promote(role, run_id="first"))
    with pytest.raises(FencingError, match="run first"):
        registry.compare_and_set(before, promote(role, run_id="second"))


def test_a_change_that_was_done_but_not_heard_of_is_found(session, role):
    registry = RoleRegistry(session, "acme")
    before = registry.init(role)
    registry.compare_and_set(before, promote(role))
    assert registry.compare_and_set(before, promote(role)) == StoredRole(promote(role), 1)


def test_a_role_that_is_set_already_is_not_written_again(session, role):
    registry = RoleRegistry(session, "acme")
    before = registry.init(role)
    session.meanwhile = lambda: pytest.fail("written")
    assert registry.compare_and_set(before, role) == before


def test_a_role_that_was_removed_is_not_made_again(session, role):
    registry = RoleRegistry(session, "acme")
    before = registry.init(role)
    session.meanwhile = session.nodes.clear
    with pytest.raises(FencingError, match="it is gone"):
        registry.compare_and_set(before, promote(role))


def test_the_epoch_never_goes_back(session, role):
    registry = RoleRegistry(session, "acme")
    current = registry.compare_and_set(registry.init(role), promote(role))
    with pytest.raises(FencingError, match="from 2 to 1"):
        registry.compare_and_set(current, role)
    assert registry.read() == current


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b"{}", b'{"group": "acme", "epoch": 0}'])
def test_what_is_no_role_is_refused(session, value):
    session.nodes[PATH] = Stored(value, 7)
    with pytest.raises(IntegrityError, match="not a role of group acme"):
        RoleRegistry(session, "acme").read()


def test_a_role_of_another_group_is_refused(session, role):
    foreign = role.model_copy(update={"group": "other"})
    registry = RoleRegistry(session, "acme")
    with pytest.raises(IntegrityError, match="group other"):
        registry.init(foreign)
    session.nodes[PATH] = Stored(foreign.model_dump_json().encode(), 0)
    with pytest.raises(IntegrityError, match="group other"):
        registry.read()
