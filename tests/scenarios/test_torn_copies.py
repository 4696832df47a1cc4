"""Cut off at a random moment, the naive copy often leaves a site that does not start; ours never does."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from incorta_provider.metadata.restore import replace_schema
from incorta_provider.metadata.rewrite import rewrite
from incorta_provider.steps.metadata_rewrite import site_rules
from incorta_provider.steps.point import ensure_point_whole, point_inventory
from lab.incorta.checker import check as check_commits
from lab.incorta.consistency import check
from lab.incorta.database import connect
from lab.layout import DR, PRIMARY
from lab.naive.cut import cut
from lab.naive.cut import start as start_naive
from lab.naive.sync import copy, end
from lab.ours.cut import start as start_ours
from lab.ours.loop import one_round

NAIVE_ROUNDS = 4
MOST_NAIVE_ROUNDS = 40
"""So often it may be tried: on some machine none of a few moments may be one that tears."""
OUR_ROUNDS = 3
LONGEST_SECONDS = 4.0

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(1800)]


def problems(stage) -> list[str]:
    with closing(connect(stage.dr.database)) as session:
        return check(session, stage.dr.storage, stage.dr.values)


def half_commits(stage) -> tuple[int, ...]:
    with closing(connect(stage.dr.database)) as session:
        return check_commits(session, stage.dr.storage, stage.lab.workload).commits_half


def promote_newest(stage, folder: Path) -> None:
    """Make the DR site the newest recovery point, as a cutover does between its fence and its start."""
    source, target = stage.access.site(PRIMARY), stage.access.site(DR)
    catalog = target.catalog
    point = catalog.newest()
    assert point is not None
    ensure_point_whole(catalog, point)
    target.target.apply(point.id)
    inventory = point_inventory(catalog, point)
    dump = catalog.dump_path(point.id)
    assert replace_schema(target.database, dump, inventory, folder, sha256=point.dump_sha256) == []
    rewrite(target.database, site_rules(stage.access, source, target), keep=lambda done: None)


def refusals_of_naive(stage, rounds: int, chance: random.Random) -> tuple[int, int]:
    """Return how often the site would refuse, and of how many rounds: of more than were asked for while none did."""
    stage.clear_dr()
    stage.workload().step()
    copy(end(stage.primary), end(stage.dr))
    assert problems(stage) == []
    refused = done = 0
    with stage.load_jobs():
        while done < rounds or (not refused and done < MOST_NAIVE_ROUNDS):
            before = files_of_dr(stage)
            process = start_naive(stage.lab.site(PRIMARY).node(1).home, stage.lab.site(DR).node(1).home)
            wait_until(lambda before=before: files_of_dr(stage) != before)
            time.sleep(chance.uniform(0, LONGEST_SECONDS))
            cut(process)
            refused += bool(problems(stage))
            done += 1
    return refused, done


def files_of_dr(stage) -> set[Path]:
    """Return the files, while a copy adds and removes some."""
    return {Path(folder, name) for folder, _, names in os.walk(stage.dr.storage) for name in names}


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for the copy to be at work: how long a process takes to begin differs most between machines."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def refusals_of_ours(stage, rounds: int, chance: random.Random, folder: Path) -> tuple[int, int]:
    """Return how often the site would refuse, and how many points were sealed.

    A busy machine may cut off each run before it seals, so the last one is left alone, and must get over the others.
    """
    stage.clear_dr()
    one_round(stage.lab)
    refused, points = 0, set()
    with stage.load_jobs():
        for number in range(rounds):
            process = start_ours(stage.lab, folder / "ours.log")
            time.sleep(chance.uniform(0.5, 2 * LONGEST_SECONDS))
            cut(process)
            promote_newest(stage, folder / str(number))
            refused += bool(problems(stage)) or bool(half_commits(stage))
            points.update(point.id for point in stage.access.site(DR).catalog.points())
    points.add(one_round(stage.lab).id)
    promote_newest(stage, folder / "last")
    refused += bool(problems(stage)) or bool(half_commits(stage))
    return refused, len(points)


def story(make_stage: Callable, tmp_path: Path, naive_rounds: int, our_rounds: int) -> None:
    chance = random.Random(naive_rounds)
    stage = make_stage()
    naive, tried = refusals_of_naive(stage, naive_rounds, chance)
    ours, points = refusals_of_ours(stage, our_rounds, chance, tmp_path)
    print(f"\nRESULT naive refused {naive} of {tried}, ours {ours} of {our_rounds} ({points} points sealed)")
    assert ours == 0
    assert points > 1
    assert naive > 0


def test_a_cut_at_a_random_moment_tears_the_naive_copy_and_never_ours(make_stage: Callable, tmp_path: Path) -> None:
    story(make_stage, tmp_path, NAIVE_ROUNDS, OUR_ROUNDS)


@pytest.mark.chaos
def test_the_same_many_times(make_stage: Callable, tmp_path: Path) -> None:
    rounds = int(os.environ.get("CHAOS_ROUNDS", "20"))
    story(make_stage, tmp_path, rounds, rounds)
