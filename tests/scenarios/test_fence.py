"""A primary that comes back is fully fenced, a cutover that is given up leaves it as it was; on two real sites."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.plan import Mode
from incorta_provider.dr.request import Request
from incorta_provider.exceptions import FencingError, NothingToDo
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.request import request_cutover
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.fencing import database_mark
from incorta_provider.steps.roles import role_at
from incorta_provider.steps.running import running
from incorta_provider.steps.unfence import unfence
from incorta_provider.steps.watch import watch
from lab.incorta.database import connect
from lab.incorta.site import start_site, stop_site
from lab.layout import DR, PRIMARY
from lab.ours.loop import one_round
from lab.up import kill_site, up

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(300)]


@pytest.fixture
def stage(stage):
    """Set the stage with one recovery point."""
    stage.workload().step()
    one_round(stage.lab)
    return stage


@pytest.fixture
def dead_primary(stage) -> Iterator[object]:
    """Kill the primary site; bring its servers back afterwards."""
    kill_site(stage.lab, PRIMARY, print)
    yield stage
    stop_site(stage.lab.site(PRIMARY))
    up(stage.lab, print)


def approved(stage, *, accept_unfenced: bool) -> CutoverRun:
    run = CutoverRun(stage.access, stage.access.site(DR), "manual__1", "hana")
    now = stage.access.clock()
    request_cutover(
        run,
        Request(
            run_id=run.run_id,
            target=DR,
            mode=Mode.UNPLANNED,
            recovery_point="",
            confirmation=f"PROMOTE {DR}",
            reason="the data centre is on fire",
            accept_unfenced=accept_unfenced,
            requested_by="hana",
            requested_at=now,
            created_at=now,
        ),
    )
    seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=stage.access.clock())
    return run


def may_work(stage) -> bool:
    """Tell whether Incorta of the primary could log in to its database and write."""
    try:
        with closing(connect(stage.primary.database)) as session, session.cursor() as cursor:
            cursor.execute("UPDATE TENANT SET NAME = NAME")
    except pymysql.MySQLError:
        return False
    return True


def test_a_primary_that_answers_is_fenced_whole_and_an_abort_opens_it_again(stage) -> None:
    run = approved(stage, accept_unfenced=False)
    result = fence(run)
    assert (result["unfenced"], result["database"]["read_only"]) == (False, "on")
    assert {"incorta@%", "incorta@127.0.0.1", "incorta@localhost"} <= set(result["database"]["accounts"])
    assert may_work(stage) is False
    done = abort(stage.access, run.run_id, by="dana")
    assert (done.role.active, done.fences_left) == (PRIMARY, ())
    assert may_work(stage) is True


def test_a_primary_that_is_gone_stops_the_cutover_unless_that_was_accepted(dead_primary) -> None:
    run = approved(dead_primary, accept_unfenced=False)
    with pytest.raises(FencingError, match=r"berlin is not fully fenced: .*services of berlin_node1"):
        fence(run)
    assert run.folder.done() == set()


def test_a_primary_that_comes_back_is_fenced_and_a_person_may_open_it(dead_primary) -> None:
    stage = dead_primary
    run = approved(stage, accept_unfenced=True)
    assert fence(run)["unfenced"] is True
    with pytest.raises(NothingToDo, match="nothing more could be reached"):
        watch(stage.access, by="the watcher")

    up(stage.lab, print)
    start_site(stage.lab.site(PRIMARY))
    assert may_work(stage) is True
    assert running(stage.access.site(PRIMARY)) != []
    began = time.monotonic()
    facts = watch(stage.access, by="the watcher")[PRIMARY]
    assert (facts["unfenced"], facts["not_reached"]) == (False, {})
    assert time.monotonic() - began < 60
    assert (may_work(stage), running(stage.access.site(PRIMARY))) == (False, [])
    assert role_at(stage.access, stage.access.site(PRIMARY)) == role_at(stage.access, stage.access.site(DR))
    mark = database_mark(stage.access.site(PRIMARY))
    assert mark is not None
    assert mark.run_id == run.run_id
    with pytest.raises(NothingToDo, match="every site"):
        watch(stage.access, by="the watcher")

    unfence(stage.access, stage.access.site(PRIMARY), reason="test", confirmation="UNFENCE berlin", by="dana")
    assert may_work(stage) is True
    assert stage.access.site(DR).ledger.faults() == []
