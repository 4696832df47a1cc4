from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from incorta_provider.dr.report import Report
from lab.demo.checks import Evidence
from lab.demo.summary import summarise, table
from lab.incorta.checker import Verdict

REPORT: dict[str, Any] = {
    "recovery_point": "20261125T030405Z-55d41569",
    "rpo_seconds": 71.5,
    "rto_seconds": 42.25,
    "expected_rto_seconds": 40.5,
    "steps": [
        {"name": "fence", "site": "berlin", "seconds": 3.0, "done_after_seconds": 4.5},
        {"name": "apply", "site": "newyork", "seconds": 0.25, "done_after_seconds": 6.0},
    ],
    "storage": {"equal": True, "files": 12, "bytes": 3_000_000},
    "metadata": {"equal": True, "tables": 16, "rows": 345},
    "unfenced": True,
    "requested_by": "operator",
    "approved_by": "approver",
}
DRILL = Report(
    outcome="proven",
    group="acme",
    run_id="manual__drill",
    mode="drill",
    source="berlin",
    target="newyork",
    recovery_point="20261125T020304Z-1c0ffee1",
    requested_by="operator",
    reason="monthly",
    requested_at=datetime(2026, 11, 25, 3, 0, tzinfo=UTC),
)
FENCED = ("epoch registry", "database")
WHOLE = Verdict(commits_primary=(1, 2, 3), commits_restored=(1, 2), commits_half=(), lost=(3,), problems=())


def evidence(*, verdict: Verdict = WHOLE, ledger_ok: bool = True, **parts: Any) -> Evidence:
    report = copy.deepcopy(REPORT)
    for name, values in parts.items():
        report[name] |= values
    return Evidence(report, 31.5, verdict, ledger_ok, DRILL, FENCED)


def test_the_summary_has_what_was_asked_for() -> None:
    summary = summarise(evidence())
    assert summary["recovery_point"] == "20261125T030405Z-55d41569"
    assert (summary["rpo_seconds"], summary["rto_seconds"]) == (31.5, 42.25)
    assert summary["steps"][0] == {"name": "fence", "seconds": 3.0, "done_after_seconds": 4.5}
    assert [summary[name] for name in ("files", "bytes", "tables", "rows")] == [12, 3_000_000, 16, 345]
    assert [summary[f"commits_{name}"] for name in ("primary", "restored", "lost", "half")] == [3, 2, 1, 0]
    assert summary["compared_equal"] is True
    assert summary["unfenced"] is True
    assert summary["ledger_ok"] is True
    assert summary["rto_forecast_seconds"] == 40.5
    assert summary["drill"] == {"recovery_point": "20261125T020304Z-1c0ffee1", "outcome": "proven"}
    assert summary["fenced_on_return"] == ["epoch registry", "database"]
    assert summary["problems"] == []


@pytest.mark.parametrize("part", ["storage", "metadata"])
@pytest.mark.parametrize("value", [False, None])
def test_equal_needs_both_to_be_compared(part: str, value: bool | None) -> None:
    summary = summarise(evidence(**{part: {"equal": value}}))
    assert summary["compared_equal"] is False
    assert summary["problems"] == [f"{part}: not compared, or not equal to the recovery point"]


def test_what_is_wrong_is_a_problem() -> None:
    half = Verdict((1, 2), (1,), (2,), (2,), ("commit 2 is half: file gone",))
    assert summarise(evidence(verdict=half))["problems"] == ["commit 2 is half: file gone"]
    none = Verdict((1, 2), (), (), (1, 2), ())
    assert summarise(evidence(verdict=none))["problems"] == ["no commit of the workload was restored"]
    assert summarise(evidence(ledger_ok=False))["problems"] == ["the ledger does not verify"]


def test_the_table_shows_the_same_numbers() -> None:
    shown = table(summarise(evidence(ledger_ok=False)))
    for words in (
        "31.5 s, from the start",
        "42.2 s, from the approval",
        "0.2 s, done    6.0 s after the approval",
        "12 (3.0 MB)",
        "345 rows in 16 tables",
        "3 at the primary, 2 restored, 1 lost, 0 half",
        "40.5 s of RTO, by the drill before",
        "20261125T020304Z-1c0ffee1: proven",
        "not proven stopped; 2 parts of it fenced when it came back",
        "DOES NOT VERIFY",
        "PROBLEM",
    ):
        assert words in shown
