from __future__ import annotations

import json
from pathlib import Path

import pytest

from incorta_provider.cli import main
from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.steps.cutover.run import CutoverRun
from tests.builders.group import (
    SITES,
    Bench,
    cutover_run,
    done_before,
    frozen_plan,
    make_bench,
    promoting,
    write_topology,
)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(write_topology(tmp_path)))
    listed = {f"{site}_zookeeper": {"conn_type": "incorta_zookeeper", "host": "127.0.0.1:1"} for site in SITES}
    (tmp_path / "connections.json").write_text(json.dumps(listed))
    (tmp_path / "connections.json").chmod(0o600)
    monkeypatch.setenv("INCORTA_DR_CONNECTIONS", str(tmp_path / "connections.json"))
    monkeypatch.setenv("SUDO_USER", "dana")
    return make_bench(tmp_path, monkeypatch)


def test_a_cutover_is_given_up_and_who_was_not_told_is_an_exit_status(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen_plan(bench, cutover_run(bench))
    promoting(bench)
    bench.ensembles.down.add("berlin_zookeeper")
    command = ["cutover", "abort", "--group", "acme", "--run", "manual__1"]
    assert main(command) == 1
    assert "berlin was not told: no quorum" in capsys.readouterr().out
    bench.ensembles.down.clear()
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[0] == "cutover manual__1 is given up: berlin is active again (epoch 3)"
    assert bench.ensembles.role("berlin") == bench.ensembles.role("newyork")
    assert bench.ensembles.role("berlin").changed_by == "dana"


def test_a_run_that_promotes_nothing_is_told(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    frozen_plan(bench, cutover_run(bench))
    assert main(["cutover", "abort", "--group", "acme", "--run", "manual__1"]) == 1
    assert "run manual__1 is not promoting any site" in capsys.readouterr().err


def test_a_cutover_is_committed_once_it_promoted(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    command = ["cutover", "commit", "--group", "acme", "--run", "manual__1"]
    assert main(command) == 1
    assert "did not promote newyork" in capsys.readouterr().err
    monkeypatch.setattr("incorta_provider.cli_cutover.commit", lambda access, run_id, by: None)
    assert main(command) == 0
    assert capsys.readouterr().out == "cutover manual__1 is committed: the metadata from before it are dropped\n"


def test_how_far_a_cutover_is_stands_step_by_step(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.APPLY)
    assert main(["cutover", "show", "--group", "acme", "--run", "manual__1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        "unplanned cutover of acme: berlin → newyork",
        "  fence at berlin: done at 2026-11-25T12:00:01+00:00, 1.0 s",
        "  stop_target at newyork: done at 2026-11-25T12:00:02+00:00, 1.0 s",
        "  apply at newyork: next",
        "  restore_metadata at newyork: next",
        "  rewrite_metadata at newyork: waits",
    ]


def test_the_dry_run_prints_the_plan_with_each_command_and_writes_nothing(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def propose(run: CutoverRun, request: object) -> object:
        asked.append(request)
        return frozen_plan(bench, cutover_run(bench, "another"), Mode.PLANNED)

    monkeypatch.setattr("incorta_provider.cli_cutover.proposed_plan", propose)
    command = ["plan", "--group", "acme", "--site", "newyork", "--mode", "planned"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("**planned cutover of acme: berlin → newyork**")
    assert "  quiesce: berlin_node1: IncortaNode/stopService.sh loaderService\n" in shown
    assert "  start_cmc: newyork_node1: cmc/start-cmc.sh\n" in shown
    assert (asked[0].confirmation, asked[0].requested_by, asked[0].mode) == ("PROMOTE newyork", "dana", "planned")


def test_a_critical_step_is_not_skipped(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    frozen_plan(bench, cutover_run(bench))
    command = ["cutover", "skip", "--group", "acme", "--run", "manual__1", "--step", "fence", "--reason", "hurry"]
    assert main(command) == 1
    assert "step fence cannot be skipped: it is not an optional step of this plan" in capsys.readouterr().err
    assert bench.events() == []


def test_the_report_can_be_read_at_any_time_and_without_airflow(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen_plan(bench, cutover_run(bench))
    command = ["cutover", "report", "--group", "acme", "--run", "manual__1"]
    assert main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["outcome"], report["rto_seconds"], report["requested_by"]) == ("under way", None, "hana")
    assert main([*command, "--page"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert "the data centre is on fire" in page
