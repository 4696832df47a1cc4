"""The naive copy: good when nothing happens, torn when something does, and cut off with all that it started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lab.incorta.checker import check as check_commits
from lab.incorta.consistency import check
from lab.incorta.database import connect
from lab.incorta.settings import NodeSettings
from lab.layout import Site
from lab.naive.cut import cut, start
from lab.naive.sync import copy, copy_files, copy_metadata, end, rewrite_values
from lab.testbed import Pair
from lab.workload.commit_log import CommitLog
from lab.workload.workload import Workload

pytestmark = pytest.mark.lab

Make = Callable[..., Workload]


def problems(settings: NodeSettings) -> list[str]:
    with closing(connect(settings.database)) as session:
        return check(session, settings.storage, settings.values)


def test_a_copy_of_a_quiet_site_is_whole(
    primary: NodeSettings, dr: NodeSettings, log: CommitLog, make_workload: Make
) -> None:
    workload = make_workload(upload_every=1)
    for _ in range(3):
        workload.step()
    copy(end(primary), end(dr))

    assert problems(dr) == []
    with closing(connect(dr.database)) as session:
        assert check_commits(session, dr.storage, log.folder).commits_restored == (1, 2, 3)


def test_a_commit_between_files_and_metadata_tears_the_copy(
    primary: NodeSettings, dr: NodeSettings, log: CommitLog, make_workload: Make
) -> None:
    workload = make_workload()
    workload.step()
    copy(end(primary), end(dr))
    copy_files(end(primary), end(dr))
    workload.step()
    copy_metadata(end(primary), end(dr))
    rewrite_values(end(dr))

    assert any("is not in the shared storage" in problem for problem in problems(dr))
    with closing(connect(dr.database)) as session:
        assert check_commits(session, dr.storage, log.folder).commits_half == (2,)


def test_a_cut_between_files_and_metadata_tears_the_copy_that_was_good(
    primary: NodeSettings, dr: NodeSettings, make_workload: Make
) -> None:
    workload = make_workload()
    workload.step()
    copy(end(primary), end(dr))
    assert problems(dr) == []

    workload.step()
    copy_files(end(primary), end(dr))

    assert problems(dr) != []


def test_a_cut_ends_the_copy_with_all_that_it_started(
    sites: Pair[Site], primary: NodeSettings, dr: NodeSettings, make_workload: Make
) -> None:
    make_workload().step()
    process = start(sites.primary.node(1).home, sites.dr.node(1).home)
    deadline = time.monotonic() + 60
    while not any(dr.storage.rglob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    cut(process)

    assert any(dr.storage.rglob("*.parquet"))
    assert process.returncode == -9
    deadline = time.monotonic() + 60
    while (left := group_of(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


def group_of(leader: int) -> list[int]:
    """Return the living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[2]) == leader and stat[0] not in "ZX":
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]
