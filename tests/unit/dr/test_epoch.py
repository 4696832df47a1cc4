"""One site is active at a time, whatever two runs do and however often a step is retried."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import ValidationError

from incorta_provider.dr.epoch import (
    Role,
    RoleState,
    abandoned_role,
    ensure_epoch,
    ensure_not_overtaken,
    ensure_promoting,
    first_role,
    promoting_role,
    registry_empty,
    replication_epoch,
    site_to_replicate,
    steady_role,
)
from incorta_provider.exceptions import DrError, FencingError, PreconditionError, SiteIsActive

AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
SITES = ("berlin", "newyork")


def role(
    active: str = "berlin",
    epoch: int = 1,
    *,
    promoting: bool = False,
    fenced: str | None = None,
    run_id: str = "init",
) -> Role:
    return Role(
        group="acme",
        epoch=epoch,
        active=active,
        state=RoleState.PROMOTING if promoting else RoleState.STEADY,
        fenced=fenced,
        changed_by="ada",
        run_id=run_id,
        changed_at=AT,
    )


def test_the_first_role_is_epoch_one_and_steady() -> None:
    assert first_role("acme", "berlin", by="ada", at=AT) == role()


@pytest.mark.parametrize(
    "wrong", [{"epoch": 0}, {"changed_at": datetime(2026, 1, 1)}, {"state": "fenced"}, {"surprise": 1}]
)
def test_a_role_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Role.model_validate(role().model_dump() | wrong)


def test_a_role_survives_the_registry() -> None:
    written = role("newyork", 7, promoting=True, run_id="manual__1")
    assert Role.model_validate_json(written.model_dump_json()) == written


def test_promoting_names_the_new_site_under_the_next_epoch() -> None:
    found = promoting_role(role(epoch=4), "newyork", by="bob", run_id="r1", at=LATER)
    assert found == Role(
        group="acme",
        epoch=5,
        active="newyork",
        state=RoleState.PROMOTING,
        fenced="berlin",
        changed_by="bob",
        run_id="r1",
        changed_at=LATER,
    )


def test_a_retried_promotion_gets_the_role_that_it_made_before() -> None:
    first = promoting_role(role(), "newyork", by="bob", run_id="r1", at=AT)
    assert promoting_role(first, "newyork", by="bob", run_id="r1", at=LATER) is first


@pytest.mark.parametrize("run_id", ["r1", "r2"])
def test_a_promotion_under_way_refuses_one_to_another_site(run_id: str) -> None:
    under_way = role("newyork", 2, promoting=True, fenced="berlin", run_id="r1")
    with pytest.raises(FencingError) as refused:
        promoting_role(under_way, "berlin", by="bob", run_id=run_id, at=AT)
    assert refused.value.what == "run r1 is promoting newyork (epoch 2)"
    assert refused.value.where == "group acme"


def test_a_promotion_left_half_done_is_taken_up_under_a_new_epoch_that_stops_the_old_run() -> None:
    left = role("newyork", 2, promoting=True, fenced="berlin", run_id="r1")
    taken = promoting_role(left, "newyork", by="bob", run_id="r2", at=LATER)
    assert (taken.epoch, taken.active, taken.state, taken.fenced) == (3, "newyork", RoleState.PROMOTING, "berlin")
    assert (taken.run_id, taken.changed_by, taken.changed_at) == ("r2", "bob", LATER)
    with pytest.raises(FencingError):
        steady_role(taken, by="ada", run_id="r1", at=LATER)
    with pytest.raises(FencingError):
        ensure_epoch(2, taken, active="newyork")


@pytest.mark.parametrize("run_id", ["r1", "r2"])
def test_the_active_site_is_not_promoted_again(run_id: str) -> None:
    with pytest.raises(PreconditionError, match=r"newyork is the active site already \(epoch 2\)"):
        promoting_role(role("newyork", 2, run_id="r1"), "newyork", by="bob", run_id=run_id, at=AT)


def test_steady_ends_the_promotion_of_the_same_run_and_keeps_its_epoch() -> None:
    ended = steady_role(role("newyork", 2, promoting=True, run_id="r1"), by="cy", run_id="r1", at=LATER)
    assert ended == role("newyork", 2, run_id="r1").model_copy(update={"changed_by": "cy", "changed_at": LATER})


def test_a_retried_end_changes_nothing() -> None:
    ended = steady_role(role("newyork", 2, promoting=True, run_id="r1"), by="cy", run_id="r1", at=AT)
    assert steady_role(ended, by="dan", run_id="r1", at=LATER) is ended


@pytest.mark.parametrize("promoting", [True, False])
def test_a_run_cannot_end_what_another_began(promoting: bool) -> None:
    with pytest.raises(FencingError, match="the role belongs to run r1, not to r2"):
        steady_role(role("newyork", 2, promoting=promoting, run_id="r1"), by="cy", run_id="r2", at=AT)


def test_replication_goes_on_under_the_epoch_that_both_registries_hold() -> None:
    assert replication_epoch("berlin", role(epoch=3), "newyork", role(epoch=3)) == 3


@pytest.mark.parametrize(
    ("at_source", "at_target", "site"), [(None, role(), "berlin"), (role(), None, "newyork"), (None, None, "berlin")]
)
def test_replication_needs_both_registries(at_source: Role | None, at_target: Role | None, site: str) -> None:
    with pytest.raises(PreconditionError) as refused:
        replication_epoch("berlin", at_source, "newyork", at_target)
    assert refused.value.what == "the epoch registry is empty"
    assert refused.value.where == f"ZooKeeper of site {site}"


@pytest.mark.parametrize(
    ("at_source", "at_target", "told"),
    [
        (role(), role("newyork", 2), "newyork is active (epoch 2, steady)"),
        (role(), role("newyork", 2, promoting=True), "newyork is active (epoch 2, promoting)"),
        (role("newyork", 2), role("newyork", 2), "newyork is active (epoch 2, steady)"),
        (role("newyork", 2), role(), "newyork is active (epoch 2, steady)"),
        (role(epoch=3, promoting=True), role(epoch=3, promoting=True), "berlin is active (epoch 3, promoting)"),
        (role(epoch=3), role(epoch=3, promoting=True), "berlin is active (epoch 3, promoting)"),
        (role(epoch=1), role(epoch=3), "the two sites disagree about the epoch"),
        (role(epoch=3), role(epoch=1), "the two sites disagree about the epoch"),
    ],
)
def test_replication_is_refused_when_either_copy_objects(at_source: Role, at_target: Role, told: str) -> None:
    with pytest.raises(FencingError) as refused:
        replication_epoch("berlin", at_source, "newyork", at_target)
    assert told in refused.value.what


def test_work_goes_on_while_nothing_moved() -> None:
    ensure_epoch(3, role(epoch=3), active="berlin")
    ensure_epoch(3, role(epoch=3, promoting=True), active="berlin")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "the registry now says nothing"),
        (role(epoch=4), "the registry now says epoch 4, active berlin"),
        (role(epoch=2), "the registry now says epoch 2, active berlin"),
        (role("newyork", 3), "the registry now says epoch 3, active newyork"),
    ],
)
def test_work_of_an_old_epoch_is_refused(found: Role | None, told: str) -> None:
    with pytest.raises(FencingError) as refused:
        ensure_epoch(3, found, active="berlin")
    assert refused.value.what == f"this work began under epoch 3 with berlin active; {told}"


def test_the_run_that_promotes_goes_on_also_when_its_last_step_is_repeated() -> None:
    under_way = role("newyork", 2, promoting=True, run_id="r1")
    ensure_promoting(under_way, run_id="r1", target="newyork")
    ensure_promoting(steady_role(under_way, by="ada", run_id="r1", at=AT), run_id="r1", target="newyork")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "the registry says nothing"),
        (role(), "the registry says epoch 1, berlin by run init"),
        (role("newyork", 3, promoting=True, run_id="r2"), "the registry says epoch 3, newyork by run r2"),
        (role("berlin", 2, promoting=True, run_id="r1"), "the registry says epoch 2, berlin by run r1"),
    ],
)
def test_a_run_whose_promotion_was_taken_up_or_never_began_goes_no_further(found: Role | None, told: str) -> None:
    with pytest.raises(FencingError) as refused:
        ensure_promoting(found, run_id="r1", target="newyork")
    assert refused.value.what == f"run r1 is not the one that promotes newyork; {told}"


def test_an_empty_registry_is_told_with_its_site() -> None:
    error = registry_empty("berlin")
    assert isinstance(error, PreconditionError)
    assert (error.where, error.fix) == ("ZooKeeper of site berlin", "Run `incorta-dr epoch init` once.")


def test_a_role_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        role().epoch = 7  # type: ignore[misc]


class Cell:
    """A registry: a role with a version, changed by compare-and-set, never back to an older epoch."""

    def __init__(self, first: Role) -> None:
        self.history = [first]
        self.reachable = True

    def read(self) -> tuple[Role, int]:
        return self.history[-1], len(self.history)

    def swap(self, new: Role, version: int) -> None:
        """Write, unless another wrote since ``version`` was read."""
        current = self.history[-1]
        if version != len(self.history) or new.epoch < current.epoch:
            raise FencingError("the role changed after it was read")
        if new != current:
            self.history.append(new)


def cutover(cells: dict[str, Cell], target: str, run_id: str, *, planned: int, at: datetime = AT) -> Iterator[str]:
    """Do what a cutover does to the two registries; each ``yield`` is a place where another run may come between.

    :param planned: the epoch under which the plan was made and approved.
    """
    source = next(site for site in SITES if site != target)
    current, version = cells[target].read()
    yield "read"
    role = promoting_role(current, target, by="ada", run_id=run_id, at=at)
    if role != current and current.epoch != planned:
        raise FencingError("the plan was made under another epoch")
    cells[target].swap(role, version)
    yield "fenced at the target"
    if cells[source].reachable:
        stale, version = cells[source].read()
        yield "read at the source"
        if stale.epoch < role.epoch:
            cells[source].swap(role, version)
    yield "fenced at the source"
    current, version = cells[target].read()
    yield "read again"
    ended = steady_role(current, by="ada", run_id=run_id, at=at)
    cells[target].swap(ended, version)
    yield "promoted"
    if cells[source].reachable:
        stale, version = cells[source].read()
        yield "read at the source again"
        if stale.epoch < ended.epoch or stale.run_id == run_id:
            cells[source].swap(ended, version)
    yield "done"


class TwoSites(RuleBasedStateMachine):
    """Cutovers in both directions, cut off, retried and interleaved, with sites that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[str, Cell] = {}
        self.runs: list[tuple[str, str, int]] = []
        self.going: dict[str, Iterator[str]] = {}
        self.clock = 0

    @initialize()
    def start(self) -> None:
        first = first_role("acme", "berlin", by="ada", at=AT)
        self.cells = {site: Cell(first) for site in SITES}

    @precondition(lambda self: len(self.runs) < 5)
    @rule(site=st.sampled_from(SITES))
    def trigger(self, site: str) -> None:
        self.runs.append((f"run{len(self.runs)}", site, self.cells[site].history[-1].epoch))

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def begin_or_retry(self, data: st.DataObject) -> None:
        run_id, target, planned = data.draw(st.sampled_from(self.runs))
        self.clock += 1
        now = AT.replace(minute=self.clock % 60)
        self.going[run_id] = cutover(self.cells, target, run_id, planned=planned, at=now)

    @precondition(lambda self: self.going)
    @rule(data=st.data(), steps=st.integers(1, 8))
    def advance(self, data: st.DataObject, steps: int) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.going)))
        for _ in range(steps):
            try:
                if next(self.going[run_id]) == "done":
                    del self.going[run_id]
                    return
            except DrError:
                del self.going[run_id]
                return

    @rule(site=st.sampled_from(SITES), up=st.booleans())
    def come_or_go(self, site: str, up: bool) -> None:
        self.cells[site].reachable = up

    @invariant()
    def an_epoch_is_one_runs_and_has_one_active_site(self) -> None:
        owners: dict[int, set[tuple[str, str]]] = {}
        for cell in self.cells.values():
            for written in cell.history:
                owners.setdefault(written.epoch, set()).add((written.active, written.run_id))
        assert all(len(owner) == 1 for owner in owners.values()), owners

    @invariant()
    def an_epoch_never_goes_back(self) -> None:
        for cell in self.cells.values():
            epochs = [written.epoch for written in cell.history]
            assert epochs == sorted(epochs)

    @invariant()
    def a_site_that_was_replaced_is_not_promoted_by_its_stale_copy(self) -> None:
        newest = max((cell.history[-1].epoch for cell in self.cells.values()), default=1)
        for site, cell in self.cells.items():
            stale = cell.history[-1]
            if stale.epoch < newest:
                with pytest.raises(DrError):
                    promoting_role(stale, site, by="eve", run_id="late", at=AT)

    @invariant()
    def replication_goes_one_way_or_none(self) -> None:
        allowed = [pair for pair in (SITES, SITES[::-1]) if self._may_replicate(*pair)]
        assert len(allowed) <= 1
        newest = max((cell.history[-1] for cell in self.cells.values()), key=lambda held: held.epoch, default=None)
        if allowed and newest:
            assert allowed[0][0] == newest.active
            assert newest.state is RoleState.STEADY

    def _may_replicate(self, source: str, target: str) -> bool:
        if not self.cells:
            return False
        try:
            replication_epoch(source, self.cells[source].read()[0], target, self.cells[target].read()[0])
        except FencingError:
            return False
        return True


TestTwoSites = TwoSites.TestCase
TestTwoSites.settings = settings(max_examples=150, stateful_step_count=30)


def test_the_model_can_finish_a_cutover_and_come_home() -> None:
    """The machine above would be worth nothing if its runs never got through."""
    cells = {site: Cell(role()) for site in SITES}
    for number, target in enumerate(("newyork", "berlin")):
        assert list(cutover(cells, target, f"r{number}", planned=number + 1))[-1] == "done"
    held = [cells[site].read()[0] for site in SITES]
    assert held[0] == held[1] == role("berlin", 3, fenced="newyork", run_id="r1")


def test_a_primary_that_comes_back_with_its_old_copy_neither_replicates_nor_takes_over() -> None:
    cells = {site: Cell(role()) for site in SITES}
    cells["berlin"].reachable = False
    assert list(cutover(cells, "newyork", "r1", planned=1))[-1] == "done"
    stale, current = cells["berlin"].read()[0], cells["newyork"].read()[0]
    assert (stale.epoch, stale.active, current.epoch, current.active) == (1, "berlin", 2, "newyork")
    with pytest.raises(FencingError):
        replication_epoch("berlin", stale, "newyork", current)
    with pytest.raises(FencingError):
        replication_epoch("newyork", current, "berlin", stale)
    with pytest.raises(FencingError):
        ensure_epoch(1, current, active="berlin")
    with pytest.raises(PreconditionError):
        promoting_role(stale, "berlin", by="eve", run_id="r2", at=LATER)


def test_a_promotion_that_is_given_up_gives_the_role_back_under_a_new_epoch() -> None:
    current = role("newyork", 2, promoting=True, fenced="berlin", run_id="m1")
    given_up = abandoned_role(current, by="dana", run_id="m1", at=LATER)
    assert given_up == Role(
        group="acme", epoch=3, active="berlin", changed_by="dana", run_id="abort m1", changed_at=LATER
    )
    assert abandoned_role(given_up, by="omar", run_id="m1", at=AT) == given_up


@pytest.mark.parametrize(
    "current",
    [
        role(),
        role("newyork", 2, fenced="berlin", run_id="m1"),
        role("newyork", 2, promoting=True, fenced="berlin", run_id="m2"),
        role("berlin", 4, run_id="abort m2"),
    ],
)
def test_only_a_promotion_of_that_run_can_be_given_up(current: Role) -> None:
    with pytest.raises(FencingError, match="run m1 is not promoting any site"):
        abandoned_role(current, by="dana", run_id="m1", at=LATER)


def test_the_active_site_is_replicated_to_every_other_one_whichever_was_the_first_primary() -> None:
    assert site_to_replicate("newyork", role("berlin")) == "berlin"
    assert site_to_replicate("berlin", role("newyork", 2, fenced="berlin", run_id="m1")) == "newyork"
    assert site_to_replicate("tokyo", role("newyork", 2, fenced="berlin", run_id="m1")) == "newyork"


def test_nothing_is_replicated_to_the_active_site_during_a_promotion_or_without_a_role() -> None:
    with pytest.raises(SiteIsActive, match=r"^newyork is the active site \(epoch 2\): nothing is replicated to it$"):
        site_to_replicate("newyork", role("newyork", 2))
    for target in SITES:
        with pytest.raises(FencingError, match=r"newyork is active \(epoch 2, promoting\)"):
            site_to_replicate(target, role("newyork", 2, promoting=True, fenced="berlin", run_id="m1"))
    with pytest.raises(PreconditionError, match="the epoch registry is empty"):
        site_to_replicate("newyork", None)


def test_a_registry_that_was_not_told_of_a_change_is_not_believed() -> None:
    stale, current = role("berlin"), role("newyork", 2, fenced="berlin", run_id="m1")
    ensure_not_overtaken("berlin", stale, {"berlin": stale})
    ensure_not_overtaken("newyork", current, {"berlin": stale, "newyork": current})
    with pytest.raises(
        FencingError, match=r"berlin is active \(epoch 1\), that of newyork says newyork \(epoch 2\)"
    ) as told:
        ensure_not_overtaken("berlin", stale, {"berlin": stale, "newyork": current})
    assert "clear the task `fence` of cutover m1" in told.value.fix
