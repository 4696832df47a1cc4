from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from incorta_provider.operators.cutover import PromoteOperator
from incorta_provider.operators.links import CutoverReportLink, RecoveryPointLink
from incorta_provider.operators.replication import SealRecoveryPointOperator

POINT = {"recovery_point": "20261125T120000Z-55d41569", "group": "acme", "site": "newyork", "summary": "one line"}
REPORT = {"report": "/catalog/report.json", "group": "acme", "site": "newyork", "run_id": "manual__2026-11-25T12:00+00"}


@pytest.fixture
def link_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes a link for a task that returned some value."""

    def make(link: Any, returned: Any) -> str:
        def get_value(*, ti_key: Any, key: str) -> Any:
            assert (ti_key, key) == ("the task", "return_value")
            return returned

        monkeypatch.setattr("incorta_provider.operators.links.XCom", SimpleNamespace(get_value=get_value))
        return str(link.get_link(SimpleNamespace(), ti_key="the task"))

    return make


def test_a_sealed_point_is_linked_to_its_page(link_of: Any) -> None:
    assert link_of(RecoveryPointLink(), POINT) == (
        "/incorta-dr/groups/acme/sites/newyork/points/20261125T120000Z-55d41569"
    )


def test_a_report_is_linked_to_its_page_whatever_the_run_is_called(link_of: Any) -> None:
    assert link_of(CutoverReportLink(), REPORT) == (
        "/incorta-dr/groups/acme/sites/newyork/cutovers/manual__2026-11-25T12%3A00%2B00"
    )
    assert link_of(CutoverReportLink(), {**REPORT, "run_id": "../a?b#c <d>"}) == (
        "/incorta-dr/groups/acme/sites/newyork/cutovers/..%2Fa%3Fb%23c%20%3Cd%3E"
    )


@pytest.mark.parametrize("link", [RecoveryPointLink(), CutoverReportLink()])
@pytest.mark.parametrize("returned", [None, {}, {"group": "acme"}])
def test_a_task_that_made_nothing_has_no_link(link_of: Any, link: Any, returned: Any) -> None:
    assert link_of(link, returned) == ""


def test_the_operators_carry_their_links() -> None:
    assert [link.name for link in SealRecoveryPointOperator.operator_extra_links] == ["Recovery point"]
    assert [link.name for link in PromoteOperator.operator_extra_links] == ["Cutover report"]
