from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

SITE = """
      {name}:
        storage: file:///srv/{name}/storage
        catalog: file:///srv/{name}/catalog
        metadata: {{conn_id: {name}_metadata, schema: incorta}}
        zookeeper: {{conn_id: {name}_zookeeper}}
        nodes: [{{conn_id: {name}_node1, services: [loaderService, analyticsService]}}]
        cmc: {{conn_id: {name}_cmc, cluster: acme, node: {name}_node1}}
        analytics: {{conn_id: {name}_analytics, tenant: acme}}
"""
OURS = list((Path(__file__).parents[2] / "dags").glob("*.py"))
REPLICATION = [
    "open", "pre_copy", "copy_shard", "dump", "final_copy", "check", "prove", "seal", "apply", "release",
]  # fmt: skip


DRILL = """
        drill:
          storage: file:///srv/{name}/drill
          schema: _dr_drill_incorta
          zookeeper: {{conn_id: {name}_drill_zookeeper}}
          nodes: [{{conn_id: {name}_drill_node1, services: [loaderService, analyticsService]}}]
          cmc: {{conn_id: {name}_drill_cmc, cluster: acme, node: {name}_drill_node1}}
          analytics: {{conn_id: {name}_drill_analytics, tenant: acme}}
"""


def topology(tmp_path: Path, *sites: str, schedule: str = "*/15 * * * *") -> Path:
    text = "groups:\n  acme:\n    primary: berlin\n    approval: {conn_id: acme_approval}\n"
    text += f'    replication: {{schedule: "{schedule}"}}\n    sites:\n'
    path = tmp_path / "incorta_dr.yaml"
    path.write_text(text + "".join(SITE.format(name=name) for name in sites))
    return path


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, read_dags: Callable[..., dict]) -> dict:
    return read_dags(topology(tmp_path_factory.mktemp("topology"), "berlin", "newyork", "tokyo"))


def test_a_group_gets_replication_and_maintenance_for_each_of_its_sites_and_one_cutover_dag(found: dict) -> None:
    assert found["errors"] == {}
    assert sorted(found["dags"]) == [
        "incorta_dr_cutover__acme",
        "incorta_maintenance__acme__berlin",
        "incorta_maintenance__acme__newyork",
        "incorta_maintenance__acme__tokyo",
        "incorta_replication__acme__berlin",
        "incorta_replication__acme__newyork",
        "incorta_replication__acme__tokyo",
        "incorta_watch__acme",
    ]


def test_the_watcher_looks_each_minute_one_run_at_a_time(found: dict) -> None:
    dag = found["dags"]["incorta_watch__acme"]
    assert (dag["schedule"], dag["catchup"], dag["max_active_runs"]) == ("* * * * *", False, 1)
    assert (dag["tasks"], dag["retries"]) == ({"fence_returned_site": []}, {"fence_returned_site": 0})


def test_replication_keeps_the_order_of_the_protocol_one_run_at_a_time(found: dict) -> None:
    dag = found["dags"]["incorta_replication__acme__newyork"]
    assert dag["max_active_runs"] == 1
    assert dag["catchup"] is False
    for before, after in itertools.pairwise(REPLICATION):
        assert before in dag["tasks"][after]
    assert dag["rules"]["release"] == "all_done_setup_success"
    assert all(dag["rules"][task] == "all_success" for task in REPLICATION[:-1] if task != "dump")


def test_the_dump_comes_when_no_shard_was_left_to_others_but_not_when_nothing_was_due(found: dict) -> None:
    """Skipped shards fail nothing; a run whose pre-copy was skipped too has no success before the dump."""
    dag = found["dags"]["incorta_replication__acme__newyork"]
    assert dag["tasks"]["copy_shard"] == ["pre_copy"]
    assert dag["tasks"]["dump"] == ["copy_shard", "pre_copy"]
    assert dag["rules"]["dump"] == "none_failed_min_one_success"
    assert dag["retries"]["copy_shard"] == dag["retries"]["pre_copy"] > 0


def test_replication_without_a_pause_is_one_task(tmp_path: Path, read_dags: Callable[..., dict]) -> None:
    found = read_dags(topology(tmp_path, "berlin", "newyork", schedule="@continuous"))
    assert found["errors"] == {}
    dag = found["dags"]["incorta_replication__acme__newyork"]
    assert dag["tasks"] == {"replicate": []}
    assert dag["max_active_runs"] == 1
    assert dag["retries"]["replicate"] > 0


def test_maintenance_prunes_and_compares_each_failing_by_itself(found: dict) -> None:
    dag = found["dags"]["incorta_maintenance__acme__newyork"]
    assert dag["tasks"] == {"prune": [], "verify": []}
    assert set(dag["rules"].values()) == {"all_success"}
    assert (dag["max_active_runs"], dag["max_active_tasks"], dag["catchup"]) == (1, 1, False)
    assert dag["weights"]["prune"] > dag["weights"]["verify"]
    assert dag["schedule"] == "0 3 * * *"


def test_the_cutover_is_manual_single_file_and_nothing_passes_the_gate_on_all_done(found: dict) -> None:
    dag = found["dags"]["incorta_dr_cutover__acme"]
    assert dag["run_types"] == ["manual"]
    assert dag["max_active_runs"] == 1
    assert dag["schedule"] == "None"
    assert dag["tasks"]["approve"] == ["request"]
    assert dag["tasks"]["take_steps"] == ["approve"]
    assert dag["tasks"]["quiesce"] == ["take_steps"]
    assert dag["tasks"]["fence"] == ["final_sync"]
    skippable = {"final_sync", "fence", "promote"}
    assert {dag["rules"][task] for task in skippable} == {"none_failed"}
    assert {rule for task, rule in dag["rules"].items() if task not in skippable} == {"all_success"}


def test_files_and_metadata_become_the_points_beside_each_other_and_are_proven_before_a_start(found: dict) -> None:
    tasks = found["dags"]["incorta_dr_cutover__acme"]["tasks"]
    for data in ("apply", "restore_metadata"):
        assert tasks[data] == ["stop_target"]
    for proof in ("rewrite_metadata", "compare"):
        assert sorted(tasks[proof]) == ["apply", "restore_metadata"]
    assert sorted(tasks["zookeeper_ready"]) == ["compare", "rewrite_metadata"]


def test_traffic_and_commit_window_are_there_when_the_topology_asks_for_them(
    tmp_path: Path, read_dags: Callable[..., dict], found: dict
) -> None:
    without = found["dags"]["incorta_dr_cutover__acme"]["tasks"]
    assert without["promote"] == ["verify_service"]
    path = topology(tmp_path, "berlin", "newyork")
    doer = "{kind: ssh, name: proxy, conn_id: p, set: [s], get: [g], values: {berlin: b, newyork: n}}"
    wishes = f"    traffic: [{doer}]\n    commit_window: {{seconds: 60}}\n"
    path.write_text(path.read_text().replace("    sites:", f"{wishes}    sites:"))
    dags = read_dags(path)
    assert dags["errors"] == {}
    tasks = dags["dags"]["incorta_dr_cutover__acme"]["tasks"]
    order = ["verify_service", "switch_traffic", "commit_window", "promote", "commit"]
    for before, after in itertools.pairwise(order):
        assert tasks[after] == [before]


def test_a_drill_is_cleaned_up_whatever_fails_behind_its_request(
    tmp_path: Path, read_dags: Callable[..., dict]
) -> None:
    path = topology(tmp_path, "berlin", "newyork")
    rules = "    metadata: {drill: [{table: SCHEDULED_JOB, column: STATUS, to: DISABLED}]}\n    sites:\n"
    path.write_text(path.read_text().replace("    sites:\n", rules) + DRILL.format(name="newyork"))
    found = read_dags(path)
    assert found["errors"] == {}
    dag = found["dags"]["incorta_dr_drill__acme"]
    tasks = dag["tasks"]
    assert dag["max_active_runs"] == 1
    assert dag["params"]["site"]["enum"] == ["newyork"]
    assert dag["rules"]["clean_drill"] == "all_done_setup_success"
    assert tasks == {"request": [], "take_steps": ["request"], "clean_drill": ["request", "take_steps"]}


def test_the_form_demands_a_typed_confirmation_and_a_reason(found: dict) -> None:
    params = found["dags"]["incorta_dr_cutover__acme"]["params"]
    assert params["confirmation"]["pattern"] == "^PROMOTE (berlin|newyork|tokyo)$"
    assert "const" not in params["confirmation"]
    assert params["reason"]["minLength"] == 1
    assert params["target_site"]["enum"] == ["berlin", "newyork", "tokyo"]


def test_a_wrong_topology_is_a_clear_import_error_and_leaves_other_dags_alone(
    tmp_path: Path, read_dags: Callable[..., dict]
) -> None:
    folder = tmp_path / "dags"
    shutil.copytree(Path(__file__).parents[2] / "dags", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "other.py").write_text("from airflow.sdk import DAG\ndag = DAG('other', schedule=None)\n")
    path = topology(tmp_path, "berlin", "newyork")
    path.write_text(path.read_text().replace("primary: berlin", "primary: berlim"))
    found = read_dags(path, folder)
    assert list(found["dags"]) == ["other"]
    assert len(found["errors"]) == len(OURS)
    for error in found["errors"].values():
        assert f"{path}:2: groups.acme: primary 'berlim' is not one of the sites ['berlin', 'newyork']" in error
        assert "incorta-dr topology check" in error


def test_a_missing_topology_says_which_setting_to_make(read_dags: Callable[..., dict]) -> None:
    errors = read_dags(None)["errors"]
    assert len(errors) == len(OURS)
    for error in errors.values():
        assert "AIRFLOW__INCORTA_DR__TOPOLOGY" in error
