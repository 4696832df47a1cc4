"""The checker says which commits a restored site has, by metadata and by Parquet."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lab.incorta.checker import check
from lab.incorta.database import Session
from lab.incorta.digest import sha256_of
from lab.incorta.live import live_tables, table_files
from lab.incorta.parquet import COMMIT_COLUMN, encode_parquet
from lab.incorta.settings import NodeSettings
from lab.workload.commit_log import CommitLog
from lab.workload.workload import Workload

pytestmark = pytest.mark.lab

Make = Callable[..., Workload]


@pytest.fixture(autouse=True)
def loaded(make_workload: Make) -> None:
    """Load four commits."""
    workload = make_workload()
    for _ in range(4):
        workload.step()


def newest_file(session: Session) -> str:
    """Return a Parquet file of the newest commit."""
    return next(table_files(session, table)[0].path for table in live_tables(session) if table.version == 4)


def test_commits_that_came_later_are_lost_and_no_problem(
    primary: NodeSettings, session: Session, log: CommitLog
) -> None:
    with log.commits_file.open("a") as stream:
        for counter in (5, 6):
            stream.write(f'{{"counter": {counter}, "committed_at": "2026-01-01T00:00:00+00:00", "site": "berlin", ')
            stream.write('"tables": ["NYC_FLIGHTS.FLIGHTS", "NYC_FLIGHTS.PLANES"]}\n')

    verdict = check(session, primary.storage, log.folder)

    assert verdict.commits_restored == (1, 2, 3, 4)
    assert verdict.lost == (5, 6)
    assert (verdict.commits_half, verdict.problems) == ((), ())


def test_a_missing_file_makes_its_commit_half(primary: NodeSettings, session: Session, log: CommitLog) -> None:
    path = newest_file(session)
    (primary.storage / path).unlink()

    verdict = check(session, primary.storage, log.folder)

    assert verdict.commits_half == (4,)
    assert verdict.lost == (4,)
    assert verdict.problems == (f"commit 4 is half: {path} is not in the shared storage; TABLE_FILE names it",)


def test_a_table_missing_in_the_metadata_makes_its_commit_half(
    primary: NodeSettings, session: Session, log: CommitLog
) -> None:
    with session.cursor() as cursor:
        cursor.execute("DELETE FROM LOAD_COMMIT_TABLE WHERE COUNTER = 2 LIMIT 1")

    verdict = check(session, primary.storage, log.folder)

    assert verdict.commits_half == (2,)
    assert verdict.commits_restored == (1, 3, 4)
    assert "commit 2 is missing while the later commit 4 is there" in verdict.problems


def test_rows_of_another_commit_are_found_although_the_digests_agree(
    primary: NodeSettings, session: Session, log: CommitLog
) -> None:
    path = newest_file(session)
    file = primary.storage / path
    file.write_bytes(encode_parquet(pq.read_table(file).drop_columns([COMMIT_COLUMN]), 3))
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE TABLE_FILE SET SIZE = %s, SHA256 = %s WHERE PATH = %s", (file.stat().st_size, sha256_of(file), path)
        )

    verdict = check(session, primary.storage, log.folder)

    assert verdict.commits_half == (4,)
    assert verdict.problems == (f"commit 4 is half: {path} holds rows of commit 3",)


def test_an_older_version_that_is_still_live_makes_the_newer_commit_half(
    primary: NodeSettings, session: Session, log: CommitLog
) -> None:
    with session.cursor() as cursor:
        cursor.execute("UPDATE TABLE_VERSION SET VERSION = 1 WHERE VERSION = 4 LIMIT 1")

    assert check(session, primary.storage, log.folder).commits_half == (4,)


def test_a_file_that_is_no_parquet_is_told_not_thrown(primary: NodeSettings, session: Session, log: CommitLog) -> None:
    path = newest_file(session)
    os.truncate(primary.storage / path, 10)
    with session.cursor() as cursor:
        digest = sha256_of(primary.storage / path)
        cursor.execute("UPDATE TABLE_FILE SET SIZE = 10, SHA256 = %s WHERE PATH = %s", (digest, path))

    verdict = check(session, primary.storage, log.folder)

    assert verdict.commits_half == (4,)
    assert "commit 4 is half" in verdict.problems[0]


def test_a_site_with_nothing_has_lost_everything(
    primary: NodeSettings, session: Session, log: CommitLog, tmp_path: Path
) -> None:
    with session.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0")
        for table in ("LOAD_COMMIT", "LOAD_COMMIT_TABLE", "TABLE_VERSION", "TABLE_FILE"):
            cursor.execute(f"TRUNCATE {table}")

    verdict = check(session, tmp_path, log.folder)

    assert verdict.lost == verdict.commits_primary == (1, 2, 3, 4)
    assert (verdict.commits_restored, verdict.problems) == ((), ())
