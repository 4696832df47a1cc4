"""Rewrite the values that differ between the sites, then prove that nothing points to the old one."""

from __future__ import annotations

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.rewrite import Rule, rewrite, scan
from incorta_provider.steps.cutover.run import CutoverRun, Result


def rewrite_metadata(run: CutoverRun) -> Result:
    """Apply the topology's rewriting rules and scan every text column.

    :raises IntegrityError: a column still holds one of the source's values.
    """

    def action(plan: Plan) -> Result:
        source, target = run.access.site(plan.source), run.target
        rules = [
            Rule(rule.table, rule.column, source.config.values[rule.value], target.config.values[rule.value])
            for rule in run.access.config.metadata.rewrite
        ]
        changes = rewrite(target.database, rules)
        _ensure_nothing_left(run, source.name, source.config.values, target.config.values)
        changed = sum(change.rows for change in changes)
        return {"changed_rows": changed, "scanned_for": sorted(source.config.values)}

    return run.perform(StepName.REWRITE, action)


def _ensure_nothing_left(run: CutoverRun, source: str, values: dict[str, str], own: dict[str, str]) -> None:
    """A value that both sites share is none of the source's, so it is not searched for."""
    needles = {name: value for name, value in values.items() if value not in own.values()}
    findings = scan(run.target.database, needles, own=own.values())
    if findings:
        raise IntegrityError(
            f"the metadata still point to {source}:\n  " + "\n  ".join(str(finding) for finding in findings),
            where=f"database of {run.target.name}",
            fix="Add a rewrite rule for each column to the topology, then clear this task.",
        )
