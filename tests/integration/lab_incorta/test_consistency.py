"""The simulator refuses what does not belong together, and names it; it accepts what only costs a rebuild."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.incorta.consistency import check
from lab.incorta.database import Session
from lab.incorta.live import live_tables, newest_commit, table_files
from lab.incorta.rebuild import rebuild_schema
from lab.incorta.settings import NodeSettings
from lab.incorta.snapshot import outdated, read_snapshot
from lab.workload.workload import Workload

pytestmark = pytest.mark.lab

Make = Callable[..., Workload]


@pytest.fixture(autouse=True)
def loaded(make_workload: Make) -> None:
    """Load three commits and one upload."""
    workload = make_workload(upload_every=3)
    for _ in range(3):
        workload.step()


def change(session: Session, statement: str) -> None:
    """Break the metadata."""
    with session.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0")
        assert cursor.execute(statement) > 0 or statement.startswith(("DROP", "ALTER", "TRUNCATE"))


def a_file(session: Session) -> str:
    """Return a Parquet file that the metadata name."""
    return table_files(session, live_tables(session)[0])[0].path


def problems(primary: NodeSettings, session: Session) -> list[str]:
    return check(session, primary.storage, primary.values)


def test_a_missing_file_is_named(primary: NodeSettings, session: Session) -> None:
    path = a_file(session)
    (primary.storage / path).unlink()
    assert problems(primary, session) == [f"{path} is not in the shared storage; TABLE_FILE names it"]


def test_a_file_that_is_one_byte_short_is_named(primary: NodeSettings, session: Session) -> None:
    path = a_file(session)
    size = (primary.storage / path).stat().st_size
    os.truncate(primary.storage / path, size - 1)
    assert problems(primary, session) == [f"{path} has {size - 1} bytes; TABLE_FILE says {size}"]


def test_a_file_with_one_other_byte_is_named(primary: NodeSettings, session: Session) -> None:
    path = a_file(session)
    content = bytearray((primary.storage / path).read_bytes())
    content[len(content) // 2] ^= 1
    (primary.storage / path).write_bytes(content)
    assert problems(primary, session) == [f"{path} has another content than TABLE_FILE says"]


def test_a_folder_in_place_of_a_file_is_named(primary: NodeSettings, session: Session) -> None:
    path = a_file(session)
    (primary.storage / path).unlink()
    (primary.storage / path).mkdir()
    assert [problem.startswith(path) for problem in problems(primary, session)] == [True]


def test_a_missing_upload_is_named(primary: NodeSettings, session: Session) -> None:
    shutil.rmtree(primary.storage / "acme/data")
    found = problems(primary, session)
    assert len(found) == 1
    assert found[0].endswith("is not in the shared storage; DATA_FILE names it")


def test_a_torn_snapshot_is_named(primary: NodeSettings, session: Session) -> None:
    path = primary.storage / "acme/ddm/NYC_FLIGHTS/FLIGHTS.ddm"
    os.truncate(path, path.stat().st_size - 7)
    assert problems(primary, session) == [
        "snapshot acme/ddm/NYC_FLIGHTS/FLIGHTS.ddm has another checksum than it carries"
    ]


def test_an_older_and_an_absent_snapshot_are_rebuilt_not_refused(
    primary: NodeSettings, session: Session, make_workload: Make
) -> None:
    folder = primary.storage / "acme/ddm"
    shutil.copytree(folder, primary.storage / "older")
    for _ in range(3):
        make_workload().step()
    shutil.rmtree(folder)
    (primary.storage / "older").rename(folder)
    (folder / "NYC_FLIGHTS/PLANES.ddm").unlink()
    tables = live_tables(session)

    assert problems(primary, session) == []
    stale = outdated(primary.storage, "acme", tables)
    assert "NYC_FLIGHTS.PLANES" in {table.full_name for table in stale}
    assert len(stale) > 1

    for schema in ("NYC_FLIGHTS", "NYC_PLACES"):
        rebuild_schema(session, primary.storage, "acme", schema)
    assert outdated(primary.storage, "acme", tables) == []
    flights = tables[0]
    assert read_snapshot(folder / "NYC_FLIGHTS/FLIGHTS.ddm").rows == flights.rows


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("UPDATE TENANT SET PATH = '/incorta/other'", "tenant acme points to /incorta/other"),
        (
            "UPDATE SERVER_CONFIG SET VALUE = 'http://other' WHERE NAME = 'cmc_url'",
            "SERVER_CONFIG cmc_url is http://other",
        ),
        ("UPDATE SERVER_CONFIG SET VALUE = 'other' WHERE NAME = 'smtp_host'", "SERVER_CONFIG smtp_host is other"),
        ("DELETE FROM SERVER_CONFIG WHERE NAME = 'smtp_host'", "SERVER_CONFIG smtp_host is None"),
        ("DELETE FROM TENANT", "the metadata have no tenant"),
    ],
)
def test_a_value_of_another_site_is_named(primary: NodeSettings, session: Session, statement: str, word: str) -> None:
    change(session, statement)
    found = problems(primary, session)
    assert len(found) == 1
    assert found[0].startswith(word)


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("DELETE FROM LOAD_COMMIT_TABLE WHERE COUNTER = 3 LIMIT 1", "commit 3 has "),
        ("DELETE FROM LOAD_COMMIT WHERE COUNTER = 3", "version 3 is live, but there is no such commit"),
        ("UPDATE TABLE_VERSION SET VERSION = 1 WHERE VERSION = 3", "is live in version 1, but commit 3 is its newest"),
        ("UPDATE TABLE_FILE SET VERSION = 1 WHERE VERSION = 3", "is of version 1, but version 3 of its table is live"),
        ("DELETE FROM TABLE_FILE WHERE VERSION = 3", "has no file"),
        ("DELETE FROM TABLE_VERSION", "is live in version None"),
        ("TRUNCATE TABLE_FILE", "has no file"),
    ],
)
def test_metadata_of_two_moments_are_named(primary: NodeSettings, session: Session, statement: str, word: str) -> None:
    assert newest_commit(session) == 3
    change(session, statement)
    assert any(word in problem for problem in problems(primary, session))


@pytest.mark.usefixtures("new_schema_afterwards")
@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DROP TABLE NOTIFICATION", "NOTIFICATION"),
        ("DROP VIEW LIVE_FILE", "LIVE_FILE"),
        ("DROP FUNCTION QUALIFIED_NAME", "QUALIFIED_NAME"),
        ("DROP PROCEDURE NOTIFY", "NOTIFY"),
        ("DROP TRIGGER LOAD_COMMIT_AUDIT", "LOAD_COMMIT_AUDIT"),
        ("DROP EVENT KEEP_HEARTBEAT", "KEEP_HEARTBEAT"),
    ],
)
def test_an_object_that_was_lost_is_named(primary: NodeSettings, session: Session, statement: str, name: str) -> None:
    change(session, statement)
    assert problems(primary, session) == [f"the metadata have no {name}"]


@pytest.mark.usefixtures("new_schema_afterwards")
def test_metadata_that_cannot_be_read_are_a_problem_not_a_crash(primary: NodeSettings, session: Session) -> None:
    change(session, "ALTER TABLE TABLE_FILE DROP COLUMN SHA256")
    found = problems(primary, session)
    assert len(found) == 1
    assert found[0].startswith("the metadata cannot be read: ")


def test_an_empty_storage_is_refused(primary: NodeSettings, session: Session, tmp_path: Path) -> None:
    found = check(session, tmp_path, {**primary.values})
    assert len(found) == sum(len(table_files(session, table)) for table in live_tables(session)) + 1
