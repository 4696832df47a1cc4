"""The maintenance operators do what the topology says, in the name of who started them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from incorta_provider.operators.base import DrOperator
from incorta_provider.operators.maintenance import (
    MaintenanceOperator,
    PruneRecoveryPointsOperator,
    VerifyReplicaOperator,
)
from tests.builders.group import NOON, Bench, sealed_point, topology_document, write_topology

SITE = {"group": "acme", "site": "newyork"}


def context(by: str | None = None) -> Any:
    """Return what an operator takes from the context of a task."""
    return {"dag_run": SimpleNamespace(run_id="scheduled__1", triggering_user_name=by, run_after=NOON)}


def task(kind: type[MaintenanceOperator]) -> DrOperator:
    with DAG("keep", schedule=None):
        return kind(task_id="t", **SITE)


def says(bench: Bench, **group: Any) -> None:
    """Let the topology say more about the group."""
    document = topology_document(bench.root)
    document["groups"]["acme"].update(group)
    write_topology(bench.root, document)


@pytest.mark.parametrize("kind", [PruneRecoveryPointsOperator, VerifyReplicaOperator])
def test_names_are_templates(kind: type[MaintenanceOperator]) -> None:
    with DAG("d", schedule=None):
        made = kind(task_id="t", group="{{ g }}", site="{{ s }}")
    names: Any = {"g": "acme", "s": "newyork"}
    made.render_template_fields(names)
    assert (made.group, made.site) == ("acme", "newyork")


def test_without_a_retention_a_prune_only_reports(bench: Bench) -> None:
    points = [sealed_point(bench.catalog, f"scheduled__{n}", opened_at=NOON.replace(year=2000 + n)) for n in range(12)]
    told = task(PruneRecoveryPointsOperator).execute(context())
    assert told == {
        "dropped": [points[0].id, points[1].id],
        "kept": 10,
        "damaged": [],
        "files": 0,
        "bytes": 0,
        "done": False,
    }
    assert len(bench.catalog.points()) == 12
    json.dumps(told)


@pytest.mark.parametrize(("by", "actor"), [(None, "dag keep"), ("hana", "hana")])
def test_with_a_retention_it_drops(bench: Bench, by: str | None, actor: str) -> None:
    says(bench, retention={"count": 1, "tiers": []})
    first, second = (sealed_point(bench.catalog, f"scheduled__{n}", opened_at=NOON.replace(day=n)) for n in (1, 2))
    told = task(PruneRecoveryPointsOperator).execute(context(by))
    assert (told["dropped"], told["kept"], told["done"]) == ([first.id], 1, True)
    assert [point.id for point in bench.catalog.points()] == [second.id]
    noted = [(entry.event, entry.actor, entry.run_id) for entry in bench.access.site("newyork").ledger.entries()]
    assert noted == [("prune.planned", actor, "scheduled__1"), ("point.dropped", actor, "scheduled__1")]


def test_a_replica_that_is_its_point(bench: Bench) -> None:
    point = sealed_point(bench.catalog)
    bench.access.site("newyork").target.apply(point.id)
    assert task(VerifyReplicaOperator).execute(context()) == {
        "point": point.id,
        "files": 0,
        "read_files": 0,
        "repaired": 0,
    }
    assert bench.events() == ["replica.verified"]


def test_drift_fails_the_task_unless_the_topology_lets_it_be_repaired(bench: Bench) -> None:
    point = sealed_point(bench.catalog)
    bench.access.site("newyork").target.apply(point.id)
    by_hand = bench.storage("newyork") / "by hand"
    by_hand.write_text("x")
    with pytest.raises(
        AirflowFailException, match=r"IntegrityError: the live replica differed.*\n  unexpected: by hand"
    ):
        task(VerifyReplicaOperator).execute(context())
    assert by_hand.exists()
    says(bench, verify={"repair": True})
    assert task(VerifyReplicaOperator).execute(context())["repaired"] == 1
    assert not by_hand.exists()


def test_nothing_to_compare_is_a_skip(bench: Bench) -> None:
    with pytest.raises(AirflowSkipException, match="no recovery point was applied yet"):
        task(VerifyReplicaOperator).execute(context())


@pytest.mark.parametrize("kind", [PruneRecoveryPointsOperator, VerifyReplicaOperator])
def test_the_active_site_is_left_alone(bench: Bench, kind: type[MaintenanceOperator]) -> None:
    sealed_point(bench.catalog)
    bench.ensembles.initialise("newyork")
    with pytest.raises(AirflowSkipException, match=r"newyork is the active site \(epoch 1\)"):
        task(kind).execute(context())
    assert bench.events() == []
