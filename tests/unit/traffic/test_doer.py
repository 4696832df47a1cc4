from __future__ import annotations

import pytest

from incorta_provider.dr.traffic import State
from incorta_provider.exceptions import TransientError
from incorta_provider.traffic import doer as module
from incorta_provider.traffic.doer import Doer, switch


class Late(Doer):
    """Shows what was set only after so many readings."""

    def __init__(self, state: State | None, late: int = 0) -> None:
        super().__init__("late", "the test", seconds=30)
        self.state, self.late, self.pending = state, late, 0
        self.written: list[State | None] = []
        self.before = state

    def read(self) -> State | None:
        if self.pending:
            self.pending -= 1
            return self.before
        return self.state

    def write(self, state: State | None) -> None:
        self.written.append(state)
        self.before, self.state, self.pending = self.state, state, self.late


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass at once."""
    passed: list[float] = []
    monkeypatch.setattr(module.time, "sleep", passed.append)
    monkeypatch.setattr(module.time, "monotonic", lambda: sum(passed))
    return passed


def test_what_is_so_already_is_a_pass() -> None:
    doer = Late({"value": "n1"})
    assert switch(doer, {"value": "n1"}) is False
    assert doer.written == []


@pytest.mark.parametrize("wanted", [{"value": "n1"}, None])
def test_what_was_set_is_read_back_until_it_is_so(wanted: State | None, slept: list[float]) -> None:
    doer = Late({"value": "b1"}, late=3)
    assert switch(doer, wanted) is True
    assert doer.written == [wanted]
    assert slept == [0.25, 0.5, 1.0]


def test_what_is_never_so_is_told_with_both_values(slept: list[float]) -> None:
    with pytest.raises(TransientError, match="after 30 s it is still value b1 instead of value n1") as failed:
        switch(Late({"value": "b1"}, late=1000), {"value": "n1"})
    assert failed.value.where == "the test"
    assert sum(slept) <= 30
