"""Every error says what, where and what next, and is of one family."""

from __future__ import annotations

import copy
import pickle

import pytest

from incorta_provider.exceptions import (
    ApprovalError,
    ConfigurationError,
    DrError,
    FencingError,
    IntegrityError,
    NothingToDo,
    PreconditionError,
    TransientError,
)

FAMILY = [TransientError, ConfigurationError, PreconditionError, IntegrityError, FencingError, ApprovalError]


@pytest.mark.parametrize(
    ("where", "fix", "told"),
    [
        ("", "", "the disk is full."),
        ("node 1", "", "the disk is full [node 1]."),
        ("", "Make room.", "the disk is full. Next: Make room."),
        ("node 1", "Make room.", "the disk is full [node 1]. Next: Make room."),
    ],
)
def test_an_error_reads_as_sentences(where: str, fix: str, told: str) -> None:
    assert str(DrError("the disk is full", where=where, fix=fix)) == told


@pytest.mark.parametrize("kind", FAMILY)
def test_the_family_is_known_whole_and_its_members_are_told_apart(kind: type[DrError]) -> None:
    assert set(DrError.__subclasses__()) == set(FAMILY)
    assert kind.__mro__[1] is DrError
    error = kind("what", where="where", fix="fix")
    assert (error.what, error.where, error.fix) == ("what", "where", "fix")


@pytest.mark.parametrize("kind", [DrError, *FAMILY])
def test_an_error_crosses_the_border_of_a_process_whole(kind: type[DrError]) -> None:
    error = kind("what", where="where", fix="fix")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert (other.what, other.where, other.fix) == ("what", "where", "fix")
        assert str(other) == str(error)


def test_nothing_to_do_is_no_error_of_ours() -> None:
    assert not issubclass(NothingToDo, DrError)
    assert str(NothingToDo("the point is applied already")) == "the point is applied already"
