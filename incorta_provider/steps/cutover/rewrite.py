"""Rewrite the values that differ between the sites, then prove that nothing points to the old one."""

from __future__ import annotations

import logging

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.rewrite import rewrite
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.metadata_rewrite import drill_rules, site_rules
from incorta_provider.steps.metadata_scan import Scanned, scan_site
from incorta_provider.storage.records.rewritings import Rewritings

log = logging.getLogger(__name__)

SHOWN = 20


def rewrite_metadata(run: CutoverRun) -> Result:
    """Apply the topology's rewriting rules, then scan the metadata and the replica's snapshots.

    In a drill the same transaction switches off what must not run in a copy, before anything starts on it.

    Each value before and after is kept in the catalog, from where it can be undone.

    :raises IntegrityError: a column or a file still holds one of the source's values.
    """

    def action(plan: Plan) -> Result:
        source = run.access.site(plan.source)
        rules = site_rules(run.access, source, run.target)
        if not plan.mode.is_cutover:
            rules += drill_rules(run.access, run.access.site(plan.target))
        done = rewrite(run.target.database, rules, keep=Rewritings(run.target.catalog).keep)
        log.info("rewritten under digest %s: %s", done.sha256, done.summary())
        scanned = scan_site(run.access, run.target, source)
        _ensure_nothing_left(run, source.name, scanned)
        return {
            "changed_values": len(done.changes),
            "rewrite_sha256": done.sha256,
            "scanned_for": scanned.searched_for,
            "scanned_files": scanned.files,
        }

    return run.perform(StepName.REWRITE, action)


def _ensure_nothing_left(run: CutoverRun, source: str, scanned: Scanned) -> None:
    if scanned.findings:
        shown = "\n  ".join(map(str, scanned.findings[:SHOWN]))
        raise IntegrityError(
            f"{len(scanned.findings)} place(s) still point to {source}:\n  {shown}",
            where=f"metadata and replica of {run.target.name}",
            fix="Add a rewrite rule for each column to the topology, or allow it in metadata.scan; clear this task.",
        )
