"""What the demo ends with: the numbers, and whether they are good. Pure.

``summary.json`` has the same numbers as the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.demo.checks import Evidence

Summary = dict[str, Any]


def summarise(evidence: Evidence) -> Summary:
    """Return the numbers.

    ``compared_equal`` is true only when both the files and the metadata were compared and found equal.
    """
    report, verdict = evidence.report, evidence.verdict
    storage, metadata = report["storage"], report["metadata"]
    return {
        "recovery_point": report["recovery_point"],
        "rpo_seconds": evidence.rpo_seconds,
        "rto_seconds": report["rto_seconds"],
        "rto_forecast_seconds": report["expected_rto_seconds"],
        "drill": {"recovery_point": evidence.drill.recovery_point, "outcome": evidence.drill.outcome},
        "steps": [{name: step[name] for name in ("name", "seconds", "done_after_seconds")} for step in report["steps"]],
        "files": storage["files"],
        "bytes": storage["bytes"],
        "tables": metadata["tables"],
        "rows": metadata["rows"],
        "compared_equal": storage["equal"] is True and metadata["equal"] is True,
        "commits_primary": len(verdict.commits_primary),
        "commits_restored": len(verdict.commits_restored),
        "commits_lost": len(verdict.lost),
        "commits_half": len(verdict.commits_half),
        "unfenced": report["unfenced"],
        "fenced_on_return": list(evidence.fenced),
        "ledger_ok": evidence.ledger_ok,
        "requested_by": report["requested_by"],
        "approved_by": report["approved_by"],
        "problems": problems(evidence),
    }


def problems(evidence: Evidence) -> list[str]:
    """Return why the promoted site is not what it should be; empty when it is."""
    found = list(evidence.verdict.problems)
    if not evidence.verdict.commits_restored:
        found.append("no commit of the workload was restored")
    for what in ("storage", "metadata"):
        if evidence.report[what]["equal"] is not True:
            found.append(f"{what}: not compared, or not equal to the recovery point")
    if not evidence.ledger_ok:
        found.append("the ledger does not verify")
    return found


def table(summary: Mapping[str, Any]) -> str:
    """Return the numbers as a person reads them."""
    rows = [
        ("recovery point", summary["recovery_point"]),
        ("RPO", f"{summary['rpo_seconds']:.1f} s, from the start of the point's sync to the loss of the site"),
        ("RTO", f"{summary['rto_seconds']:.1f} s, from the approval to the verified service"),
        *[(f"  {step['name']}", _step(step)) for step in summary["steps"]],
        ("forecast", f"{summary['rto_forecast_seconds']:.1f} s of RTO, by the drill before"),
        ("drill", f"{summary['drill']['recovery_point']}: {summary['drill']['outcome']}"),
        ("files", f"{summary['files']} ({summary['bytes'] / 1e6:.1f} MB)"),
        ("metadata", f"{summary['rows']} rows in {summary['tables']} tables"),
        ("compared", "files and metadata equal" if summary["compared_equal"] else "NOT EQUAL"),
        ("commits", _commits(summary)),
        ("old primary", _old_primary(summary)),
        ("ledger", "verified" if summary["ledger_ok"] else "DOES NOT VERIFY"),
        ("persons", f"requested by {summary['requested_by']}, approved by {summary['approved_by']}"),
        *[("PROBLEM", problem) for problem in summary["problems"]],
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def _step(step: Mapping[str, Any]) -> str:
    return f"{step['seconds']:6.1f} s, done {step['done_after_seconds']:6.1f} s after the approval"


def _old_primary(summary: Mapping[str, Any]) -> str:
    reached = "not reached, so not proven stopped" if summary["unfenced"] else "services stopped"
    return f"{reached}; {len(summary['fenced_on_return'])} parts of it fenced when it came back"


def _commits(summary: Mapping[str, Any]) -> str:
    return (
        f"{summary['commits_primary']} at the primary, {summary['commits_restored']} restored, "
        f"{summary['commits_lost']} lost, {summary['commits_half']} half"
    )
