from __future__ import annotations

import shutil

import pytest

from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.steps.unfence import Unfenced, is_overridden, unfence
from tests.builders.fences import Databases, lend_databases
from tests.builders.group import NOON, Bench, promoting

MARK = FenceMark(group="acme", run_id="manual__1", by="hana", at=NOON)


@pytest.fixture
def databases(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Databases:
    made = lend_databases(bench, monkeypatch)[1]
    made.marks["berlin"] = MARK
    promoting(bench)
    return made


def opened(bench: Bench, **changed: str) -> Unfenced:
    words = {"reason": "New York burnt down", "confirmation": "UNFENCE berlin", "by": "dana", **changed}
    return unfence(bench.access, bench.access.site("berlin"), **words)


def test_a_person_opens_a_site_and_every_ledger_knows_who_and_why(bench: Bench, databases: Databases) -> None:
    done = opened(bench)
    assert (done.mark, databases.opened, databases.marks) == (MARK, [("berlin", True)], {})
    assert done.role is not None
    assert (done.role.active, done.role.epoch) == ("newyork", 2)
    for site in ("berlin", "newyork"):
        (entry,) = [each for each in bench.access.site(site).ledger.entries() if each.event == "site.unfenced"]
        assert (entry.actor, entry.details["reason"], entry.details["epoch"]) == ("dana", "New York burnt down", 2)


@pytest.mark.parametrize("words", [{"reason": " "}, {"confirmation": "UNFENCE newyork"}, {"confirmation": ""}])
def test_a_word_that_is_not_typed_out_opens_nothing(bench: Bench, databases: Databases, words: dict[str, str]) -> None:
    with pytest.raises(PreconditionError, match=r"newyork is active \(epoch 2\); .*'UNFENCE berlin'"):
        opened(bench, **words)
    assert (list(databases.marks), bench.events("berlin")) == (["berlin"], [])
    assert is_overridden(bench.access, "berlin", 2) is False


def test_the_word_holds_until_the_roles_change(bench: Bench, databases: Databases) -> None:
    opened(bench)
    assert [is_overridden(bench.access, "berlin", epoch) for epoch in (1, 2, 3)] == [False, True, False]
    assert is_overridden(bench.access, "newyork", 2) is False


def test_it_works_when_nothing_else_answers(bench: Bench, databases: Databases) -> None:
    bench.ensembles.down.update({"berlin_zookeeper", "newyork_zookeeper"})
    shutil.rmtree(bench.access.site("newyork").catalog.root)
    assert opened(bench).role is None
    assert databases.marks == {}


def test_without_any_catalog_nobody_would_know_of_it(bench: Bench, databases: Databases) -> None:
    for site in ("berlin", "newyork"):
        shutil.rmtree(bench.access.site(site).catalog.root)
    with pytest.raises(PreconditionError, match="no catalog can keep who opens the site"):
        opened(bench)
    assert list(databases.marks) == ["berlin"]


def test_a_database_that_does_not_answer_is_told_and_it_may_be_repeated(bench: Bench, databases: Databases) -> None:
    databases.down.add("berlin")
    with pytest.raises(TransientError, match="cannot be used now"):
        opened(bench)
    databases.down.clear()
    assert opened(bench).mark == MARK
