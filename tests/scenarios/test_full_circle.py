"""There and home again: a site is lost with its last commit, the other works on, and everything goes home."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from incorta_provider.cli import main
from incorta_provider.dr.epoch import RoleState, promoting_role, steady_role
from incorta_provider.dr.plan import Mode
from incorta_provider.exceptions import FencingError, NothingToDo
from incorta_provider.metadata.comparison import compare_schemas
from incorta_provider.metadata.prove import read_inventory, restored_apart
from incorta_provider.steps.cutover.final_sync import final_sync
from incorta_provider.steps.cutover.promote import promote
from incorta_provider.steps.cutover.quiesce import quiesce
from incorta_provider.steps.cutover.verify import verify_service
from incorta_provider.steps.replication.protocol import replicate
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.roles import change_role, copy_role, role_at
from incorta_provider.steps.watch import watch
from incorta_provider.storage.apply.actual import mark_diverged
from incorta_provider.storage.divergence import Bundles
from incorta_provider.storage.manifest.manifest_file import read_manifest, read_totals
from lab.incorta.checker import Verdict
from lab.incorta.checker import check as check_commits
from lab.incorta.database import connect
from lab.incorta.install import install
from lab.incorta.settings import NodeSettings
from lab.incorta.site import start_site, stop_site
from lab.layout import DR, PRIMARY
from lab.up import kill_site, up
from lab.workload.dataset import SCHEMAS
from tests.scenarios.acts import DATA_STEPS, STARTS, approve, cutover, request, wait_until_ready

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(900)]

ARCHIVED = 200
"""Files that no load job touches: both sites have them, so they need never travel again."""


@pytest.fixture
def circle(stage) -> Iterator[object]:
    """Set the stage, and leave both sites with their servers and without Incorta."""
    yield stage
    up(stage.lab, print)
    for site in stage.lab.sites:
        stop_site(site)


def cut_over(stage, target: str, run_id: str, mode: Mode) -> dict:
    """Move to a site as one person asks for it and another approves it; return the report."""
    run = cutover(stage, run_id, target)
    request(stage, run, mode=mode, accept_unfenced=not mode.loses_nothing)
    approve(stage, run)
    for step in (quiesce, final_sync, *DATA_STEPS) if mode.loses_nothing else DATA_STEPS:
        step(run)
    for start, part in STARTS:
        start(run)
        wait_until_ready(run, part)
    verify_service(run)
    return promote(run)


def replicate_to(stage, target: str, run_id: str):
    """Make a recovery point as the replication DAG of that site does."""
    return replicate(ReplicationRun(stage.access, stage.access.site(target), run_id, f"dag to {target}"))


def archive(stage) -> None:
    folder = stage.primary.storage / stage.primary.tenant / "archive"
    folder.mkdir()
    for number in range(ARCHIVED):
        (folder / f"{number}.bin").write_bytes(b"%d" % number * 100)


def commits(stage, site: NodeSettings) -> Verdict:
    with closing(connect(site.database)) as session:
        return check_commits(session, site.storage, stage.lab.workload)


@pytest.mark.chaos
def test_there_and_home_again_and_nothing_is_lost_on_the_way(circle, monkeypatch, capsys) -> None:
    stage = circle
    archive(stage)
    work = stage.workload()
    work.step()
    work.step()
    replicate_to(stage, DR, "to dr 1")
    work.step()
    assert commits(stage, stage.primary).commits_restored == (1, 2, 3)

    kill_site(stage.lab, PRIMARY, print)
    assert cut_over(stage, DR, "there", Mode.UNPLANNED)["unfenced"] is True
    assert commits(stage, stage.dr).lost == (3,)
    with pytest.raises(NothingToDo, match=r"newyork is the active site \(epoch 2\)"):
        replicate_to(stage, DR, "to dr 2")

    up(stage.lab, print)
    with pytest.raises(FencingError, match=r"berlin is active .* that of newyork says newyork"):
        replicate_to(stage, PRIMARY, "too early")
    start_site(stage.lab.site(PRIMARY))
    assert watch(stage.access, by="dag incorta_watch")[PRIMARY]["unfenced"] is False
    away = stage.workload(stage.dr)
    away.step()
    away.step()

    home = stage.access.site(PRIMARY)
    listed = sum(1 for path in stage.dr.storage.rglob("*") if path.is_file())
    point = replicate_to(stage, PRIMARY, "to berlin 1")
    assert (point.source, point.epoch) == (DR, 2)
    assert read_totals(home.catalog.manifest_path(point.id)).files == listed
    assert point.copied_files == listed - ARCHIVED
    (bundle,) = Bundles(home.catalog).all()
    assert bundle.added > 0
    assert bundle.metadata is not None
    assert commits_in(Bundles(home.catalog).folder(bundle.id)) == ["3"], "the one that was lost is kept"
    ensure_people_can_read(stage, bundle.id, monkeypatch, capsys)

    away.step()
    report = cut_over(stage, PRIMARY, "home", Mode.FAILBACK)
    assert report["unfenced"] is False
    role = role_at(stage.access, home)
    assert role is not None
    assert (role.epoch, role.active, role.fenced, role.state) == (3, PRIMARY, DR, RoleState.STEADY)
    verdict = commits(stage, stage.primary)
    assert (verdict.commits_restored, verdict.lost, verdict.commits_half) == ((1, 2, 4, 5, 6), (3,), ())

    stage.workload().step()
    again = replicate_to(stage, DR, "to dr 3")
    assert (again.source, again.epoch) == (PRIMARY, 3)
    assert Bundles(stage.access.site(DR).catalog).all() == []
    assert all(stage.access.site(name).ledger.faults() == [] for name in (PRIMARY, DR))


def test_an_old_primary_is_reprotected_with_what_it_wrote_apart_kept_by_file_and_by_row(stage) -> None:
    archive(stage)
    work = stage.workload()
    work.step()
    common = replicate_to(stage, DR, "to dr 1")
    work.step()
    newyork, berlin = stage.access.site(DR), stage.access.site(PRIMARY)
    promoting = partial(promoting_role, target=DR, by="hana", run_id="m1", at=stage.access.clock())
    change_role(stage.access, newyork, promoting)
    ending = partial(steady_role, by="hana", run_id="m1", at=stage.access.clock())
    copy_role(stage.access, berlin, change_role(stage.access, newyork, ending))
    mark_diverged(newyork.catalog)
    install(stage.dr, SCHEMAS)

    point = replicate_to(stage, PRIMARY, "to berlin 1")
    assert (point.source, point.files) == (DR, common.files)
    (bundle,) = Bundles(berlin.catalog).all()
    assert point.copied_files == bundle.deleted + bundle.changed <= common.files - ARCHIVED
    assert (bundle.point, bundle.added > 0) == (common.id, True)
    folder = Bundles(berlin.catalog).folder(bundle.id)
    assert commits_in(folder) == ["2"]
    for entry in read_manifest(folder / "files.parquet"):
        kept = folder / "files" / os.fsdecode(entry.path)
        assert hashlib.sha256(kept.read_bytes()).digest() == entry.sha256
    with restored_apart(
        berlin.database, folder / "metadata.sql.zst", read_inventory(folder / "inventory.json"), scratch_key="kept"
    ) as scratch:
        found = compare_schemas(berlin.database, scratch)
    assert {difference.object for difference in found} <= {"table `HEARTBEAT`"}, "an event writes there every second"


def commits_in(bundle: Path) -> list[str]:
    """Return the keys of the commits that the old primary has and the common point has not."""
    return re.findall(r"table `LOAD_COMMIT`: row `COUNTER` = '(\d+)':", (bundle / "differences.txt").read_text())


def ensure_people_can_read(stage, bundle: str, monkeypatch, capsys) -> None:
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(stage.lab.topology_file))
    monkeypatch.setenv("INCORTA_DR_CONNECTIONS", str(stage.lab.connections_file))
    place = ["--group", stage.access.name, "--site", PRIMARY]
    capsys.readouterr()
    assert main(["divergence", "list", *place]) == 0
    assert capsys.readouterr().out.startswith(f"{bundle}: what berlin wrote after ")
    assert main(["divergence", "show", *place, "--bundle", bundle]) == 0
    shown = capsys.readouterr().out
    assert "kept acme/" in shown
    assert "table `LOAD_COMMIT`: row " in shown
