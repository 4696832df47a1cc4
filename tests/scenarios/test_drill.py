"""Drills on two real sites: the plan tried out beside the replica while load jobs and replication go on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

import pytest

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.steps.drill.actions import ACTIONS
from incorta_provider.steps.drill.clean import clean_drill, clean_site
from incorta_provider.steps.drill.request import drill_request, request_drill
from incorta_provider.steps.drill.run import DrillRun, drill_run
from incorta_provider.steps.readiness import Part, not_ready
from incorta_provider.steps.running import running
from incorta_provider.steps.status import status_lines
from incorta_provider.storage.apply.actual import is_diverged
from incorta_provider.storage.records.drill_record import Proofs
from incorta_provider.storage.vault.in_use import points_in_use
from incorta_provider.storage.verify import verify_replica
from lab.incorta.database import connect
from lab.incorta.site import stop_site
from lab.layout import DR, PRIMARY
from lab.ours.loop import one_round
from tests.scenarios.acts import READY_SECONDS

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(600)]

READY = {
    StepName.START_NODES: Part.NODES,
    StepName.START_CMC: Part.CMC,
    StepName.START_LOADER: Part.LOADER,
    StepName.START_ANALYTICS: Part.ANALYTICS,
}
STEPS = [step for step in ACTIONS if step is not StepName.CLEAN_DRILL]
KEEP_SECONDS = 3600
"""Files of the version before stay for so long: longer than this lasts on a busy machine, where a round of replication
would miss what was removed meanwhile, and the change breaker would count it."""
MAIL_MOMENT = 2.0
"""Seconds: a Loader that may mail does so at once, and its scheduler looks twice a second."""


def drill(stage, run_id: str = "manual__drill") -> DrillRun:
    return drill_run(stage.access, DR, run_id, "hana")


def request(run: DrillRun, point: str = "") -> Plan:
    asked = drill_request(
        run, recovery_point=point, reason="monthly", requested_by="hana", requested_at=run.access.clock()
    )
    return request_drill(run, asked)


def take(run: DrillRun, steps: list[StepName]) -> None:
    """Take steps as the tasks do, each with what waits behind it."""
    for step in steps:
        ACTIONS[step](run)
        deadline = time.monotonic() + READY_SECONDS
        while (part := READY.get(step)) and (reason := not_ready(run.target, part)):
            assert time.monotonic() < deadline, reason
            time.sleep(0.2)


def schemas(stage) -> set[str]:
    """Return what a drill may leave at the DR server."""
    with closing(connect(stage.dr.database)) as session, session.cursor() as cursor:
        cursor.execute(r"SHOW DATABASES LIKE '\_dr\_%'")
        return {row[0] for row in cursor.fetchall()}


def tables_of_dr(stage) -> int:
    with closing(connect(stage.dr.database)) as session, session.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        return len(cursor.fetchall())


def left(stage) -> dict[str, Any]:
    """Return what is left of a drill anywhere."""
    site = stage.access.site(DR)
    place = stage.lab.site(DR).drill
    return {
        "schemas": schemas(stage),
        "files": place.storage.exists(),
        "record": (site.catalog.root / "drill.json").exists(),
        "running": running(stage.access.drill(DR)),
    }


NOTHING: Mapping[str, Any] = {"schemas": set(), "files": False, "record": False, "running": []}


@pytest.fixture
def with_point(stage) -> Iterator[Any]:
    """Return the stage with one recovery point of two commits; nothing of a drill outlives the test."""
    workload = stage.workload()
    workload.step()
    workload.step()
    one_round(stage.lab)
    yield stage
    stop_site(stage.lab.site(DR).drill)
    with suppress(PreconditionError):
        clean_site(stage.access, DR, by="the tests")


def test_a_point_is_tried_out_while_load_jobs_and_replication_go_on(with_point) -> None:
    stage = with_point
    site = stage.access.site(DR)
    run = drill(stage)
    plan = request(run)
    outboxes = [site.outbox for site in (stage.lab.site(DR), stage.lab.site(DR).drill)]
    with stage.load_jobs(keep_seconds=KEEP_SECONDS):
        take(run, STEPS[:3])
        sealed = one_round(stage.lab)
        take(run, STEPS[3:])
        time.sleep(MAIL_MOMENT)
        assert [part for part in running(run.target) if part.startswith("loader")]
        newest = one_round(stage.lab)
    assert points_in_use(site.catalog, stage.access.clock())[plan.recovery_point] == "drill manual__drill is open"

    cleaned = clean_drill(run)
    assert cleaned["outcome"] == "proven"
    assert left(stage) == NOTHING
    assert [path for path in outboxes if path.exists()] == []
    assert tables_of_dr(stage) == 0
    assert running(site) == []
    assert not is_diverged(site.catalog)
    assert site.catalog.live_point_id() == newest.id
    assert {sealed.id, newest.id, plan.recovery_point} == {point.id for point in site.catalog.points()}
    manifest = site.catalog.manifest_path(newest.id)
    assert verify_replica(site.target, manifest, deep=True, exclude=stage.access.config.replication.exclude).equal
    report = run.folder.report()
    assert report is not None
    assert (report["outcome"], report["not_done"]) == ("proven", [])
    assert 0 < report["rto_seconds"] < READY_SECONDS
    proof = Proofs(site.catalog).of(plan.recovery_point)
    assert proof is not None
    assert proof.rto_seconds == report["rto_seconds"]
    assert [line for line in status_lines(stage.access) if plan.recovery_point in line and "proven by a drill" in line]
    assert site.ledger.faults() == []
    assert plan.recovery_point not in points_in_use(site.catalog, stage.access.clock())
    with pytest.raises(PreconditionError, match="it was cleaned up"):
        ACTIONS[StepName.START_LOADER](run)


@pytest.mark.chaos
def test_a_drill_that_was_killed_is_taken_away_by_the_next_one_which_proves_an_older_point(with_point) -> None:
    """The bytes of the older point lie in the history by now."""
    stage = with_point
    older = stage.access.site(DR).catalog.get()
    stage.workload().step()
    newer = one_round(stage.lab)
    killed = drill(stage, "manual__killed")
    assert request(killed).recovery_point == newer.id
    killed_at_work(stage)
    assert left(stage)["record"]
    assert (
        points_in_use(stage.access.site(DR).catalog, stage.access.clock())[newer.id] == "drill manual__killed is open"
    )

    run = drill(stage, "manual__next")
    request(run, older.id)
    take(run, STEPS)
    assert killed.folder.report()["outcome"] == "failed"
    assert clean_drill(run)["outcome"] == "proven"
    assert left(stage) == NOTHING
    proofs = Proofs(stage.access.site(DR).catalog)
    assert [proofs.of(point.id) is not None for point in (older, newer)] == [True, False]
    assert stage.access.site(DR).catalog.live_point_id() == newer.id
    with pytest.raises(PreconditionError, match="it was cleaned up"):
        ACTIONS[StepName.PREPARE_DRILL](killed)


def killed_at_work(stage) -> None:
    """Take the first steps in a process of its own, and kill it while it restores the metadata."""

    def work() -> None:
        take(drill(stage, "manual__killed"), STEPS[:2])

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    deadline = time.monotonic() + READY_SECONDS
    while not schemas(stage):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_a_damaged_replica_fails_the_drill_and_proves_nothing(with_point) -> None:
    stage = with_point
    site = stage.access.site(DR)
    run = drill(stage)
    point = request(run).recovery_point
    victim = max(stage.lab.site(DR).storage.rglob("*.parquet"), key=lambda path: path.stat().st_size)
    facts = victim.stat()
    content = victim.read_bytes()
    victim.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    os.utime(victim, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(IntegrityError, match=f"the bytes of .*{victim.name} are nowhere"):
        take(run, STEPS)

    assert clean_site(stage.access, DR, by="omar") == run.run_id
    assert left(stage) == NOTHING
    report = run.folder.report()
    assert report is not None
    assert (report["outcome"], report["rto_seconds"]) == ("failed", None)
    assert report["not_done"][0] == "prepare_drill"
    assert Proofs(site.catalog).of(point) is None
    assert clean_site(stage.access, DR, by="omar") is None


def test_the_active_site_is_no_place_for_a_drill(with_point) -> None:
    run = drill_run(with_point.access, PRIMARY, "manual__drill", "hana")
    with pytest.raises(PreconditionError, match="no drill at berlin"):
        request(run)
    assert not run.folder.has_plan()
