"""Dump the source's metadata, with inventory, checksums and references of the same snapshot."""

from __future__ import annotations

import logging

from incorta_provider.metadata.dump import DumpReport, dump
from incorta_provider.steps.replication.run import ReplicationRun

log = logging.getLogger(__name__)


def dump_metadata(run: ReplicationRun) -> DumpReport:
    """Write dump, inventory and references into the workspace, in place of what a former try left.

    The manifest of a former try goes too: only a final copy behind the dump has every file that the dump names.
    """
    with run.alone("dump"):
        run.workspace.withdraw()
        rules = run.access.config.metadata
        report = dump(run.source.database, run.workspace.root, rules.references, rules.definers)
        log.info(
            "dump: %d tables, %d rows, %d bytes at %s in %.2f s (%d attempt(s))",
            report.tables,
            report.rows,
            report.bytes,
            report.position,
            report.seconds,
            report.attempts,
        )
        return report
