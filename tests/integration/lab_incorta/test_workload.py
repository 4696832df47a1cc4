"""The workload on a real database: each commit is whole in metadata and Parquet, and the log knows it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pymysql
import pytest

from lab.incorta.checker import check as check_commits
from lab.incorta.consistency import check
from lab.incorta.database import Session, connect
from lab.incorta.live import live_tables, table_files
from lab.incorta.parquet import commits_in
from lab.incorta.settings import NodeSettings
from lab.workload.commit_log import CommitLog
from lab.workload.workload import Workload

pytestmark = pytest.mark.lab

Make = Callable[..., Workload]


def test_a_site_under_load_is_consistent_and_has_every_commit(
    primary: NodeSettings, session: Session, log: CommitLog, make_workload: Make
) -> None:
    workload = make_workload()
    records = [record for _ in range(6) if (record := workload.step())]

    assert [record.counter for record in records] == [1, 2, 3, 4, 5, 6]
    assert len(records[0].tables) == 5
    assert all(2 <= len(record.tables) <= 4 for record in records[1:])
    assert check(session, primary.storage, primary.values) == []
    verdict = check_commits(session, primary.storage, log.folder)
    assert verdict.commits_primary == verdict.commits_restored == (1, 2, 3, 4, 5, 6)
    assert (verdict.commits_half, verdict.lost, verdict.problems) == ((), (), ())


def test_every_parquet_row_carries_the_commit_of_its_version(
    primary: NodeSettings, session: Session, make_workload: Make
) -> None:
    workload = make_workload()
    for _ in range(3):
        workload.step()

    tables = live_tables(session)
    found = {
        table.full_name: {frozenset(commits_in(primary.storage / file.path)) for file in table_files(session, table)}
        for table in tables
    }
    assert found == {table.full_name: {frozenset({table.version})} for table in tables}
    assert len(tables) == 5


def test_the_aggressive_clean_up_leaves_only_what_is_live(
    primary: NodeSettings, session: Session, make_workload: Make
) -> None:
    workload = make_workload(keep_seconds=0)
    for _ in range(4):
        workload.step()

    live = {file.path for table in live_tables(session) for file in table_files(session, table)}
    on_disk = {str(path.relative_to(primary.storage)) for path in primary.storage.glob("*/source/*/*/v*/*")}
    assert on_disk == live


def test_the_gentle_clean_up_keeps_replaced_versions_for_a_while(primary: NodeSettings, make_workload: Make) -> None:
    workload = make_workload(keep_seconds=3600)
    records = [record for _ in range(4) if (record := workload.step())]

    folders = list(primary.storage.glob("*/source/*/*/v*"))
    assert len(folders) == sum(len(record.tables) for record in records)


def test_a_copy_meets_half_written_files_under_their_final_name(primary: NodeSettings, make_workload: Make) -> None:
    sizes: dict[Path, set[int]] = {}

    def look(_: float) -> None:
        for path in primary.storage.glob("*/source/*/*/v*/*.parquet"):
            sizes.setdefault(path, set()).add(path.stat().st_size)

    make_workload(pause=look, write_seconds=1).step()

    assert len(sizes) >= 5
    assert all(len(seen) > 1 for seen in sizes.values())


def test_what_is_not_finished_lies_in_folders_that_copies_leave_out(primary: NodeSettings, make_workload: Make) -> None:
    seen: set[str] = set()

    def look(_: float) -> None:
        seen.update(path.parent.name for path in primary.storage.rglob("spill-*"))

    make_workload(pause=look).step()

    assert seen == {".tmp"}
    assert list(primary.storage.rglob("spill-*")) == []


def test_uploads_have_names_of_every_kind_and_are_known_where_they_can_be(
    primary: NodeSettings, session: Session, make_workload: Make
) -> None:
    workload = make_workload(upload_every=1)
    for _ in range(10):
        workload.step()

    uploads = [path for path in (primary.storage / "acme/data").rglob("*") if path.is_file()]
    on_disk = {os.fsencode(path.relative_to(primary.storage)) for path in uploads}
    with session.cursor() as cursor:
        cursor.execute("SELECT PATH FROM DATA_FILE")
        known = {row[0].encode() for row in cursor.fetchall()}
    assert len(on_disk) == 10
    assert {path.rpartition(b"/")[2] for path in on_disk - known} == {b"latin1 \xe9t\xe9.csv"}
    assert check(session, primary.storage, primary.values) == []


def test_a_job_whose_loader_stops_is_interrupted_and_commits_nothing(
    primary: NodeSettings, session: Session, log: CommitLog, make_workload: Make
) -> None:
    make_workload().step()
    answers = iter([True, False])

    assert make_workload(allowed=lambda: next(answers)).step() is None

    with session.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM SCHEMA_STATUS WHERE STATUS = 'Interrupted'")
        assert cursor.fetchone() >= (1,)
    assert [record.counter for record in log.commits()] == [1]
    assert check(session, primary.storage, primary.values) == []
    assert json.loads(log.state_file.read_text())["phase"] == "waiting"


def test_without_a_loader_nothing_is_loaded(primary: NodeSettings, log: CommitLog, make_workload: Make) -> None:
    assert make_workload(allowed=lambda: False).step() is None
    assert log.commits() == []
    assert list(primary.storage.glob("*/source/*/*/v*")) == []


def test_a_commit_that_a_kill_kept_from_the_log_gets_there_at_the_next_start(
    primary: NodeSettings, session: Session, log: CommitLog, make_workload: Make
) -> None:
    workload = make_workload()
    records = [workload.step() for _ in range(3)]
    lines = log.commits_file.read_text().splitlines(keepends=True)
    log.commits_file.write_text("".join(lines[:2]) + lines[2][:20])

    make_workload().step()

    assert [record.counter for record in log.commits()] == [1, 2, 3, 4]
    third = records[2]
    assert third is not None
    assert set(log.commits()[2].tables) == set(third.tables)
    assert check_commits(session, primary.storage, log.folder).problems == ()


def test_a_database_that_takes_no_writes_lets_no_commit_through(
    primary: NodeSettings, session: Session, log: CommitLog, make_workload: Make, root_at_primary: Session
) -> None:
    make_workload().step()
    with root_at_primary.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            with pytest.raises(pymysql.MySQLError, match="read-only"):
                make_workload().step()
        finally:
            cursor.execute("SET GLOBAL read_only = 0")

    assert [record.counter for record in log.commits()] == [1]
    make_workload().step()
    assert check(session, primary.storage, primary.values) == []
    assert check_commits(session, primary.storage, log.folder).commits_restored == (1, 2)


def test_the_same_seed_loads_the_same_tables(primary: NodeSettings, make_workload: Make) -> None:
    first = make_workload(seed=5)
    tables = [record.tables for _ in range(3) if (record := first.step())]
    with closing(connect(primary.database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT JOB FROM LOAD_COMMIT ORDER BY COUNTER")
        jobs = [row[0] for row in cursor.fetchall()]
    assert jobs == ["first load 1", *(f"load {n}: {len(names)} tables" for n, names in enumerate(tables[1:], start=2))]
