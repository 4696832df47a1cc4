"""Recovery points of the lab, one after the other, by the same steps that the DAG's tasks take."""

from __future__ import annotations

from incorta_provider.connection import connections_from_file
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.steps.access import GroupAccess, group_access
from incorta_provider.steps.replication.protocol import replicate
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.topology_file import read_topology
from lab.layout import DR, GROUP, Lab

ACTOR = "lab.ours"


def lab_group(lab: Lab) -> GroupAccess:
    """Return the lab's protection group, as the command line would."""
    return group_access(read_topology(lab.topology_file), GROUP, connections_from_file(lab.connections_file))


def lab_run(access: GroupAccess, run_id: str = "") -> ReplicationRun:
    """Return a run from the lab's primary to its DR site; named by the moment unless it is given a name."""
    return ReplicationRun(
        access=access,
        target=access.site(DR),
        run_id=run_id or f"loop__{access.clock().isoformat()}",
        actor=ACTOR,
    )


def one_round(lab: Lab) -> RecoveryPoint:
    """Make one recovery point."""
    return replicate(lab_run(lab_group(lab)))
