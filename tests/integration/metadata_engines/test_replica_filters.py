"""What a MySQL replica takes of other schemas and of accounts: nothing, whichever statement and from whichever schema.

From a session at the metadata's schema some statements pass both of MySQL's filters. They are refused for want of a
right, which stops the replica. Which ones is asserted, so that a release which filters otherwise is noticed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.replica import lacking
from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.metadata.replica.opening import channel_at
from incorta_provider.metadata.replica.point import ReplicaPair
from incorta_provider.metadata.snapshot import position_now
from tests.integration.metadata_engines.replicas import at_server, point, set_up_from_source

pytestmark = [pytest.mark.mysql, pytest.mark.timeout(900)]

OTHER = "other_of_both"
APP = "app_of_both@'%'"
MADE = (
    f"CREATE DATABASE {OTHER}",
    f"CREATE TABLE {OTHER}.t (a INT PRIMARY KEY)",
    f"CREATE TABLE {OTHER}.gone (a INT PRIMARY KEY)",
    f"INSERT INTO {OTHER}.t VALUES (1)",
    f"CREATE VIEW {OTHER}.v AS SELECT a FROM {OTHER}.t",
    f"CREATE TRIGGER {OTHER}.tr BEFORE INSERT ON {OTHER}.t FOR EACH ROW SET NEW.a = NEW.a",
    f"CREATE PROCEDURE {OTHER}.p() SELECT 1",
    f"CREATE FUNCTION {OTHER}.f() RETURNS INT DETERMINISTIC RETURN 1",
    f"CREATE EVENT {OTHER}.e ON SCHEDULE EVERY 1 DAY DISABLE DO SET @x = 1",
    f"CREATE USER {APP} IDENTIFIED BY 'x'",
    f"GRANT SELECT ON {OTHER}.* TO {APP}",
)
"""At both servers, so that whatever arrives would be seen."""

SPHERE = (
    'GEOGCS["x",DATUM["x",SPHEROID["x",6378137,298.257223563]],PRIMEM["x",0],UNIT["x",0.017453292519943278],'
    'AXIS["Lat",NORTH],AXIS["Lon",EAST]]'
)
FILTERED, PASSES = False, True
STATEMENTS = {
    f"CREATE TABLE {OTHER}.t2 (a INT)": FILTERED,
    f"ALTER TABLE {OTHER}.t ADD COLUMN b INT": FILTERED,
    f"CREATE INDEX i ON {OTHER}.t (a)": FILTERED,
    f"INSERT INTO {OTHER}.t (a) VALUES (2)": FILTERED,
    f"UPDATE {OTHER}.t SET a = 3 WHERE a = 2": FILTERED,
    f"DELETE FROM {OTHER}.t WHERE a = 3": FILTERED,
    f"CREATE TABLE {OTHER}.t3 AS SELECT * FROM {OTHER}.t": FILTERED,
    f"TRUNCATE TABLE {OTHER}.gone": FILTERED,
    f"RENAME TABLE {OTHER}.t2 TO {OTHER}.t4": FILTERED,
    f"DROP TABLE {OTHER}.gone": FILTERED,
    f"ANALYZE TABLE {OTHER}.t": FILTERED,
    f"OPTIMIZE TABLE {OTHER}.t": FILTERED,
    f"CREATE OR REPLACE VIEW {OTHER}.v AS SELECT a, 1 AS one FROM {OTHER}.t": FILTERED,
    f"DROP VIEW {OTHER}.v": FILTERED,
    f"CREATE TRIGGER {OTHER}.tr2 BEFORE UPDATE ON {OTHER}.t FOR EACH ROW SET NEW.a = NEW.a": FILTERED,
    f"DROP TRIGGER {OTHER}.tr": FILTERED,
    f"CREATE PROCEDURE {OTHER}.p2() SELECT 2": PASSES,
    f"ALTER PROCEDURE {OTHER}.p COMMENT 'x'": PASSES,
    f"DROP PROCEDURE {OTHER}.p": PASSES,
    f"CREATE FUNCTION {OTHER}.f2() RETURNS INT DETERMINISTIC RETURN 2": PASSES,
    f"DROP FUNCTION {OTHER}.f": PASSES,
    f"CREATE EVENT {OTHER}.e2 ON SCHEDULE EVERY 1 DAY DISABLE DO SET @x = 1": PASSES,
    f"ALTER EVENT {OTHER}.e COMMENT 'x'": PASSES,
    f"DROP EVENT {OTHER}.e": PASSES,
    f"ALTER DATABASE {OTHER} COLLATE utf8mb4_bin": FILTERED,
    "CREATE DATABASE other_of_one": FILTERED,
    "DROP DATABASE other_of_one": FILTERED,
    f"ALTER USER {APP} ACCOUNT LOCK": PASSES,
    f"SET PASSWORD FOR {APP} = 'y'": PASSES,
    f"GRANT INSERT ON {OTHER}.* TO {APP}": PASSES,
    f"REVOKE INSERT ON {OTHER}.* FROM {APP}": PASSES,
    "CREATE USER one_more@'%'": PASSES,
    "RENAME USER one_more@'%' TO two_more@'%'": PASSES,
    "CREATE ROLE a_role": PASSES,
    f"GRANT a_role TO {APP}": PASSES,
    "DROP ROLE a_role": PASSES,
    "DROP USER two_more@'%'": PASSES,
    "FLUSH TABLES": FILTERED,
    f"CREATE SPATIAL REFERENCE SYSTEM 1999999 NAME 'x' DEFINITION '{SPHERE}'": PASSES,
    "DROP SPATIAL REFERENCE SYSTEM 1999999": PASSES,
    "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')": FILTERED,
    "DROP SERVER s": FILTERED,
}
"""What becomes of each from a session at the metadata's schema; from any other session all are filtered."""

CONTENT = (
    "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '{other}' ORDER BY 1, 2",
    "SELECT TABLE_NAME, INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = '{other}' ORDER BY 1, 2",
    "SELECT ROUTINE_NAME, ROUTINE_COMMENT FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '{other}' ORDER BY 1",
    "SELECT EVENT_NAME, EVENT_COMMENT FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '{other}' ORDER BY 1",
    "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '{other}' ORDER BY 1",
    "SELECT a FROM {other}.t ORDER BY 1",
    "SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA ORDER BY 1",
    "SELECT User, Host, account_locked, authentication_string FROM mysql.user ORDER BY 1, 2",
    "SELECT User, Db, Select_priv, Insert_priv FROM mysql.db ORDER BY 1, 2",
    "SELECT * FROM mysql.role_edges",
    "SELECT COUNT(*) FROM information_schema.ST_SPATIAL_REFERENCE_SYSTEMS",
    "SELECT Server_name FROM mysql.servers",
)


@pytest.fixture
def others(mysql_pair: Any) -> Iterator[None]:
    for server in mysql_pair:
        at_server(server, *MADE)
    yield
    for server in mysql_pair:
        at_server(server, f"DROP DATABASE {OTHER}", f"DROP USER {APP}")


def content(server: Any) -> list[tuple[tuple[object, ...], ...]]:
    """Return what a server has beside the metadata's schema."""
    return [at_server(server, query.format(other=OTHER)) for query in CONTENT]


def apply_all(pair: ReplicaPair, server: Any) -> str:
    """Let the replica apply what the source has; return why it stopped, having let it pass over that transaction."""
    wanted, deadline = position_now(pair.source), time.monotonic() + 60
    with channel_at(pair.replica_account) as channel:
        channel.hold(pair.source.schema)
        channel.apply_until("", wanted)
        while (state := channel.state()) and lacking(state.applied, wanted) and not state.apply_error:
            assert time.monotonic() < deadline, state
            time.sleep(0.02)
        assert state
    if not state.apply_error:
        return ""
    (failed,) = re.findall(r"transaction '(\S+)'", state.apply_error)
    at_server(server, f"SET gtid_next = '{failed}'", "BEGIN", "COMMIT", "SET gtid_next = 'AUTOMATIC'")
    return state.apply_error


@pytest.mark.parametrize("session", ["at no schema", "at the other schema", "at ours"])
def test_nothing_of_other_schemas_arrives(
    session: str, primary: Any, there: Any, pair: ReplicaPair, folder: Path, others: None
) -> None:
    set_up_from_source(pair, folder)
    schema = {"at the other schema": OTHER, "at ours": pair.source.schema}.get(session)
    before, passed = content(there.server), {}
    for statement in STATEMENTS:
        at_server(primary.server, statement, schema=schema)
        said = apply_all(pair, there.server)
        passed[statement] = bool(said)
        assert not said or "denied" in said or "privilege" in said
        assert content(there.server) == before, statement
    assert passed == (STATEMENTS if session == "at ours" else dict.fromkeys(STATEMENTS, FILTERED))


@pytest.mark.parametrize("schema", [None, OTHER])
def test_what_a_session_elsewhere_does_to_ours_is_missed_and_found(
    schema: str | None, nasty: Any, replica: ReplicaPair, folder: Path, others: None
) -> None:
    ours = nasty.endpoint.schema
    at_server(nasty.server, f"INSERT INTO {ours}.no_key VALUES (77, 'a row arrives')", schema=schema)
    assert point(replica, folder).tables["no_key"].rows == len(nasty.run("SELECT a FROM no_key"))
    at_server(nasty.server, f"ALTER TABLE {ours}.no_key ADD COLUMN more INT DEFAULT 7", schema=schema)
    with pytest.raises(IntegrityError, match=r"`no_key`: column `more`: expected .*, found nothing"):
        point(replica, folder)
    assert set_up_from_source(replica, folder)
    assert "more" in point(replica, folder).tables["no_key"].columns


def test_a_replica_that_was_stopped_by_what_is_not_ours_is_set_up_behind_it(
    nasty: Any, replica: ReplicaPair, folder: Path, others: None
) -> None:
    nasty.run(f"DROP PROCEDURE {OTHER}.p")
    for _ in range(2):
        with pytest.raises(TransientError, match=r"cannot be used: .*denied to user .* for routine 'other_of_both.p'"):
            point(replica, folder)
    set_up_from_source(replica, folder)
    nasty.run("INSERT INTO empty_one VALUES (1)")
    assert point(replica, folder).tables["empty_one"].rows == 1
