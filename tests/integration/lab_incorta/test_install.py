"""Installing the metadata: whole, once, and begun again after a kill half way."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing

import pytest

from lab.incorta.consistency import check
from lab.incorta.database import Session, connect
from lab.incorta.install import install
from lab.incorta.settings import NodeSettings
from lab.incorta.sql_script import SCHEMA_FILE
from lab.workload.dataset import SCHEMAS

pytestmark = pytest.mark.lab


def rows(session: Session, query: str) -> tuple[tuple[object, ...], ...]:
    with session.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_what_is_installed_is_consistent_and_installed_once(primary: NodeSettings, session: Session) -> None:
    assert check(session, primary.storage, primary.values) == []
    before = rows(session, "SELECT * FROM APP_USER")
    assert not install(primary, SCHEMAS)
    assert rows(session, "SELECT * FROM APP_USER") == before


@pytest.mark.usefixtures("new_schema_afterwards")
@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM SERVER_CONFIG WHERE NAME = 'release'", "DROP TABLE SERVER_CONFIG", "DROP TABLE NOTIFICATION"],
)
def test_an_installation_that_was_cut_off_is_begun_again(primary: NodeSettings, session: Session, damage: str) -> None:
    rows(session, "DELETE FROM SERVER_CONFIG WHERE NAME = 'release'")
    rows(session, damage)
    assert install(primary, SCHEMAS)
    session.select_db(primary.database.schema)
    assert check(session, primary.storage, primary.values) == []
    assert len(rows(session, "SELECT * FROM SCHEMA_TABLE")) == 5


def test_the_schema_is_a_script_for_the_client_too(dr: NodeSettings) -> None:
    database = dr.database
    argv = ["mariadb", "--no-defaults", "--default-character-set=utf8mb4", f"--host={database.host}"]
    argv += [f"--port={database.port}", f"--user={database.user}", database.schema]
    script = SCHEMA_FILE.read_bytes()
    subprocess.run(argv, input=script, env={**os.environ, "MYSQL_PWD": database.password}, check=True)
    with closing(connect(database)) as session:
        assert check(session, dr.storage, dr.values)[0] == "the metadata have no tenant"


def test_the_awkward_values_are_there_as_they_were_given(primary: NodeSettings, session: Session) -> None:
    assert rows(session, "SELECT AVATAR, LANGUAGE FROM APP_USER WHERE LOGIN = 'admin'") == ((bytes(range(256)), "de"),)
    assert rows(session, 'SELECT FULL_NAME FROM APP_USER WHERE LOGIN = "o\'brien"') == (("Seán O'Brien\t(tab)",),)
    assert rows(session, "SELECT NOTE, WIDGETS, PUBLISHED FROM DASHBOARD ORDER BY ID") == (
        ("first line\nsecond line\r\n", 2, b"\x01"),
        ("\\N", 0, b"\x00"),
        (None, 1, b"\x01"),
    )
    assert rows(session, "SELECT COUNT(*) FROM NOTIFICATION WHERE EXPIRATION_DATE = '0000-00-00 00:00:00'") == ((1,),)
