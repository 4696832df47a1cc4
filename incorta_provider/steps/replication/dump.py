"""Dump the source's metadata, with inventory, checksums and references of the same snapshot.

With a replica at the target, the dump is made there, of the same state. A replica that cannot be used holds nothing up:
the metadata are dumped at the source, and the ledger says why.
"""

from __future__ import annotations

import logging

from incorta_provider.exceptions import DrError
from incorta_provider.metadata.dump import DumpReport, dump
from incorta_provider.metadata.member import catch_up
from incorta_provider.metadata.replica.point import dump_at_replica
from incorta_provider.steps.metadata_replica import replica_pair
from incorta_provider.steps.replication.run import ReplicationRun

log = logging.getLogger(__name__)


def dump_metadata(run: ReplicationRun) -> DumpReport:
    """Write dump, inventory and references into the workspace, in place of what a former try left.

    The manifest of a former try goes too: only a final copy after the dump has every file that the dump names.
    """
    with run.alone("dump"):
        run.workspace.withdraw()
        report = _at_replica(run) or _at_source(run)
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


def _at_source(run: ReplicationRun) -> DumpReport:
    """Dump at the source's database, or at the member of its cluster that the topology names."""
    rules, endpoint = run.access.config.metadata, run.source.database
    if (member := run.source.dump_member) is not None:
        catch_up(endpoint, member)
        endpoint = member
    return dump(endpoint, run.workspace.root, rules.references, rules.definers, node=run.source.dump_node)


def _at_replica(run: ReplicationRun) -> DumpReport | None:
    """Dump at the target's replica; None when the topology asks for none, or it cannot be used."""
    rules = run.access.config.metadata
    if rules.replica is None:
        return None
    try:
        pair = replica_pair(run.source, run.target)
        return dump_at_replica(pair, run.workspace.root, rules.references, wait_seconds=rules.replica.wait_seconds)
    except DrError as error:
        log.warning("the metadata are dumped at %s, as %s", run.source.name, error)
        run.note("metadata.replica.unusable", "replica", {"error": type(error).__name__, "reason": str(error)})
        return None
