"""Recovery points from a held replica while load jobs run, and a cutover that takes the replica over as it is."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.metadata_rules import ReplicaRules
from incorta_provider.dr.plan import StepName
from incorta_provider.metadata.rights import replica_grants
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.metadata_replica import remove_replica, replica_report, set_up_replica
from incorta_provider.steps.replication.protocol import replicate
from incorta_provider.steps.replication.run import ReplicationRun
from lab.incorta.checker import check as check_commits
from lab.incorta.database import connect
from lab.layout import DR, PRIMARY
from lab.passwords import passwords
from lab.servers.mariadb import MariaDb
from tests.scenarios.test_cutover import DATA_STEPS, approve, cutover, request

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(600)]

USER = "incorta_replica"
KEEP_SECONDS = 3600
"""Files of the version before stay for longer than a round of replication takes on a busy machine."""


@pytest.fixture
def replicated(stage) -> Iterator[object]:
    """Let the group ask for a replica, with an account for it at both servers."""
    password, drawn = secrets.token_hex(12), passwords(stage.lab).sites
    for site in stage.lab.sites:
        with MariaDb(site, drawn[site.name]).connect() as session, session.cursor() as cursor:
            cursor.execute(f"CREATE OR REPLACE USER {USER}@'127.0.0.1' IDENTIFIED BY %s", (password,))
            for grant in replica_grants():
                cursor.execute(grant.statement(f"{USER}@'127.0.0.1'"))

    def connections(conn_id: str) -> ConnectionInfo:
        name, _, kind = conn_id.rpartition("_")
        found = stage.access.connections(f"{name}_metadata" if kind == "replica" else conn_id)
        return replace(found, conn_id=conn_id, login=USER, password=password) if kind == "replica" else found

    yield replace(stage, access=asking(stage.access, connections))
    remove_replica(asking(stage.access, connections), asking(stage.access, connections).site(DR), by="me", run_id="end")


def asking(access: GroupAccess, connections) -> GroupAccess:
    sites = {
        name: site.model_copy(
            update={"metadata": site.metadata.model_copy(update={"replica_conn_id": f"{name}_replica"})}
        )
        for name, site in access.config.sites.items()
    }
    metadata = access.config.metadata.model_copy(update={"replica": ReplicaRules(wait_seconds=60)})
    config = access.config.model_copy(update={"metadata": metadata, "sites": sites})
    return GroupAccess(access.name, config, connections, access.clock)


def one_round(stage, run_id: str):
    access = stage.access
    return replicate(ReplicationRun(access, access.site(DR), run_id, "the tests"))


def unusable(stage) -> int:
    return sum(entry.event == "metadata.replica.unusable" for entry in stage.access.site(DR).ledger.entries())


def test_points_come_from_the_replica_and_the_newest_is_promoted_without_a_restore(replicated) -> None:
    stage, target = replicated, replicated.access.site(DR)
    stage.workload().step()
    first = one_round(stage, "r1")
    assert unusable(stage) == 1, "nothing is set up yet, so the source is dumped"
    assert first.id in set_up_replica(stage.access, target, None, by="dana", run_id="by hand")

    with stage.load_jobs(keep_seconds=KEEP_SECONDS):
        points = [one_round(stage, f"r{number}") for number in (2, 3)]
    assert unusable(stage) == 1
    stage.workload().step()  # lost with the primary
    report = replica_report(stage.access, target, stage.access.site(PRIMARY))
    assert report.problems == []
    assert f"recovery point {points[-1].id}" in report.facts[1]

    run = replace(cutover(stage), access=stage.access, target=target)
    request(stage, run)
    approve(stage, run)
    for step in DATA_STEPS:
        step(run)
    restored = run.folder.result(StepName.RESTORE)
    assert restored is not None
    assert (restored["way"], restored["rows"], restored["equal"]) == ("replica", points[-1].rows, True)
    with closing(connect(stage.dr.database)) as session:
        commits = check_commits(session, stage.dr.storage, stage.lab.workload)
    assert commits.commits_half == ()
    assert len(set(commits.commits_primary) - set(commits.commits_restored)) >= 1
