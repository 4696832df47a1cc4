from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from incorta_provider.connection import Connections
from incorta_provider.dr.traffic import SshCommand, State, TrafficDoer
from incorta_provider.exceptions import TransientError
from incorta_provider.steps.cutover import traffic as module
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.traffic import return_traffic, send_traffic, traffic_problem
from incorta_provider.traffic.doer import Doer
from tests.builders.group import Bench, cutover_run


@dataclass
class Doers:
    """Doers in memory.

    :ivar states: what each has.
    :ivar down: those that do not answer.
    :ivar deadly: those at which the worker dies before anything is set.
    :ivar told: what was set, in order.
    """

    states: dict[str, State | None] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    deadly: set[str] = field(default_factory=set)
    told: list[tuple[str, Any]] = field(default_factory=list)

    def open(self, config: TrafficDoer, connections: Connections, run_id: str) -> Doer:
        doers = self

        class InMemory(Doer):
            def read(self) -> State | None:
                if self.name in doers.down:
                    raise TransientError("no answer", where=self.name, fix="Wait.")
                return doers.states.get(self.name)

            def write(self, state: State | None) -> None:
                if self.name in doers.deadly:
                    raise KeyboardInterrupt
                doers.states[self.name] = state
                doers.told.append((self.name, state and state["value"]))

        return InMemory(config.name, "memory", seconds=1)


def doer(name: str, **changes: Any) -> SshCommand:
    values = {"berlin": f"{name} in berlin", "newyork": f"{name} in newyork"}
    return SshCommand(kind="ssh", name=name, conn_id=name, set=("s",), get=("g",), values=values, **changes)


@pytest.fixture
def doers(monkeypatch: pytest.MonkeyPatch) -> Doers:
    found = Doers({"dns": {"value": "found before"}})
    monkeypatch.setattr(module, "open_doer", found.open)
    return found


def run_with(bench: Bench, *configs: SshCommand) -> CutoverRun:
    run = cutover_run(bench)
    return CutoverRun(bench.changed(traffic=configs), run.target, run.run_id, run.actor)


def test_it_is_sent_in_order_and_back_the_other_way_round_to_what_was_there(bench: Bench, doers: Doers) -> None:
    run = run_with(bench, doer("dns"), doer("proxy"))
    doers.states["proxy"] = {"value": "proxy in berlin"}
    assert send_traffic(run, "newyork") == {
        "traffic": {
            "dns": "value found before → value dns in newyork",
            "proxy": "value proxy in berlin → value proxy in newyork",
        },
        "not_switched": {},
    }
    assert return_traffic(run) == (["proxy", "dns"], {})
    assert doers.told == [
        ("dns", "dns in newyork"),
        ("proxy", "proxy in newyork"),
        ("proxy", "proxy in berlin"),
        ("dns", "found before"),
    ]


def test_a_second_try_does_not_take_its_own_work_for_what_was_there(bench: Bench, doers: Doers) -> None:
    run = run_with(bench, doer("dns"), doer("proxy"))
    doers.down.add("proxy")
    with pytest.raises(TransientError):
        send_traffic(run, "newyork")
    doers.down.clear()
    told = send_traffic(run, "newyork")["traffic"]
    assert told["dns"] == "value found before → value dns in newyork"
    assert told["proxy"] == "absent → value proxy in newyork"
    return_traffic(run)
    assert doers.states == {"dns": {"value": "found before"}, "proxy": None}


def test_a_kill_before_the_change_loses_no_way_back(bench: Bench, doers: Doers) -> None:
    run = run_with(bench, doer("dns"))
    doers.deadly.add("dns")
    with pytest.raises(KeyboardInterrupt):
        send_traffic(run, "newyork")
    assert run.folder.traffic_before() == {"dns": {"value": "found before"}}
    doers.deadly.clear()
    send_traffic(run, "newyork")
    return_traffic(run)
    assert doers.states["dns"] == {"value": "found before"}


def test_an_optional_one_that_fails_is_told_and_holds_up_nothing(bench: Bench, doers: Doers) -> None:
    run = run_with(bench, doer("portal", optional=True), doer("dns"))
    doers.down.add("portal")
    result = send_traffic(run, "newyork")
    assert list(result["traffic"]) == ["dns"]
    assert result["not_switched"] == {"portal": "no answer"}


def test_on_the_way_back_one_that_fails_keeps_no_other(bench: Bench, doers: Doers) -> None:
    run = run_with(bench, doer("dns"), doer("proxy"))
    send_traffic(run, "newyork")
    doers.down.add("proxy")
    assert return_traffic(run) == (["dns"], {"proxy": "no answer"})


def test_what_was_never_touched_is_not_sent_back(bench: Bench, doers: Doers) -> None:
    assert return_traffic(run_with(bench, doer("dns"))) == ([], {})
    assert doers.told == []


def test_one_that_does_not_answer_is_found_before_anything_is_changed(bench: Bench, doers: Doers) -> None:
    dns, portal = doer("dns"), doer("portal", optional=True)
    run = run_with(bench, dns, portal)
    assert traffic_problem(run, dns) is None
    doers.down.update({"dns", "portal"})
    assert traffic_problem(run, dns) == "no answer"
    assert traffic_problem(run, portal) is None
    assert doers.told == []
