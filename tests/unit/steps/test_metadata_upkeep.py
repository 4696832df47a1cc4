"""What the status says about a site's metadata: schemas that restores keep, and its replica."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.replica import ReplicaState
from incorta_provider.dr.schema_switch import Stage, Switch
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.switch_journal import write_switch
from incorta_provider.steps import metadata_replica as replica_module
from incorta_provider.steps.metadata_upkeep import metadata_lines
from incorta_provider.steps.status import status_lines
from tests.builders.group import (
    Bench,
    cutover_run,
    frozen_plan,
    make_bench,
    sealed_point,
    topology_document,
    with_replica,
)

COMMAND = "--group acme --run manual__1"


def told(bench: Bench, site: str = "newyork") -> list[str]:
    return list(metadata_lines(bench.access, bench.access.site(site)))


def at_stage(bench: Bench, stage: Stage) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    names = {"live": "incorta", "next": "_dr_beside_1_next", "previous": "_dr_beside_1_previous"}
    write_switch(run.folder.schema_switch, Switch(stage=stage, sha256="00" * 32, **names))


def test_a_site_that_was_never_restored_has_nothing_to_tell(bench: Bench) -> None:
    sealed_point(bench.catalog)
    frozen_plan(bench, cutover_run(bench))
    assert told(bench) == []


def test_the_schema_from_before_is_told_until_it_is_given_up(bench: Bench) -> None:
    at_stage(bench, Stage.SWITCHED)
    line = f"schema _dr_beside_1_previous keeps what was live before; `incorta-dr cutover commit {COMMAND}` drops it"
    assert told(bench) == [line]
    assert f"    {line}" in status_lines(bench.access)
    for stage in (Stage.COMMITTED, Stage.RETURNED):
        at_stage(bench, stage)
        assert told(bench) == []


@pytest.mark.parametrize("stage", [Stage.LOADING, Stage.SWITCHING, Stage.RETURNING])
def test_a_restore_that_stopped_in_the_middle_is_told_with_both_ways_out(bench: Bench, stage: Stage) -> None:
    at_stage(bench, stage)
    assert told(bench) == [
        f"a restore is {stage}, with the schemas _dr_beside_1_next and _dr_beside_1_previous: clear its task, "
        f"or `incorta-dr cutover abort {COMMAND}`"
    ]


class Replica:
    """A replica's server, in a test's words."""

    def __init__(self) -> None:
        self.now: ReplicaState | None = ReplicaState(
            source="127.0.0.1:1",
            receiving=True,
            applying=False,
            received="0-1-60",
            applied="0-1-57",
            tables="incorta.%",
        )

    def __call__(self, admin: Any) -> Replica:
        assert (admin.site, admin.user) == ("newyork", "incorta")
        return self

    def __enter__(self) -> Replica:
        return self

    def __exit__(self, *_: object) -> None: ...

    def state(self) -> ReplicaState | None:
        return self.now


@pytest.fixture
def replicated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return make_bench(tmp_path, monkeypatch, with_replica(topology_document(tmp_path)))


@pytest.fixture
def replica(monkeypatch: pytest.MonkeyPatch) -> Replica:
    server = Replica()
    monkeypatch.setattr(replica_module, "channel_at", server)
    monkeypatch.setattr(replica_module, "position_now", lambda endpoint: "0-1-64")
    return server


def test_a_replica_is_told_with_its_point_and_how_far_behind_it_is(replicated: Bench, replica: Replica) -> None:
    point = sealed_point(replicated.catalog, gtid="0-1-57")
    assert told(replicated) == [
        "replica: reads from 127.0.0.1:1: connected",
        f"replica: data at 0-1-57, recovery point {point.id}, 120 s old",
        "replica: 3 transaction(s) received and held back for the next point",
        "replica: 4 transaction(s) of berlin not received yet",
    ]
    assert told(replicated, "berlin") == [], "the active site is nobody's replica"


def test_what_is_wrong_with_a_replica_is_told(
    replicated: Bench, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(endpoint: Any) -> str:
        raise TransientError("the database cannot be used now", where=endpoint.label)

    sealed_point(replicated.catalog, gtid="0-1-9")
    monkeypatch.setattr(replica_module, "position_now", gone)
    assert told(replicated)[1] == "replica: data at 0-1-57, which is no recovery point's position"
    assert told(replicated)[3] == "replica: the source cannot be asked how far it is: the database cannot be used now"
    replica.now = None
    assert told(replicated) == ["replica PROBLEM: no replica is set up; `incorta-dr metadata replica setup`"]
