"""What of other schemas and of accounts a MySQL replica takes: nothing, whichever statement and from whichever schema.

Some statements pass both of MySQL's filters; they are refused for want of a right, and stop the replica.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.metadata.replica.point import ReplicaPair
from tests.integration.metadata_engines.replicas import at_server, point, set_up_from_source

pytestmark = pytest.mark.mysql

OTHER = "other_of_both"
ACCOUNT = "app_of_both@'%'"
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
    f"CREATE USER {ACCOUNT} IDENTIFIED BY 'x'",
    f"GRANT SELECT ON {OTHER}.* TO {ACCOUNT}",
)
"""At both servers, so that whatever arrives there would be seen."""

STATEMENTS = (
    "CREATE TABLE {other}.t2 (a INT)",
    "ALTER TABLE {other}.t ADD COLUMN b INT",
    "CREATE INDEX i ON {other}.t (a)",
    "INSERT INTO {other}.t (a) VALUES (2)",
    "UPDATE {other}.t SET a = 3 WHERE a = 2",
    "DELETE FROM {other}.t WHERE a = 3",
    "CREATE TABLE {other}.t3 AS SELECT * FROM {other}.t",
    "TRUNCATE TABLE {other}.gone",
    "RENAME TABLE {other}.t2 TO {other}.t4",
    "DROP TABLE {other}.gone",
    "ANALYZE TABLE {other}.t",
    "OPTIMIZE TABLE {other}.t",
    "CREATE OR REPLACE VIEW {other}.v AS SELECT a, 1 AS one FROM {other}.t",
    "DROP VIEW {other}.v",
    "CREATE TRIGGER {other}.tr2 BEFORE UPDATE ON {other}.t FOR EACH ROW SET NEW.a = NEW.a",
    "DROP TRIGGER {other}.tr",
    "CREATE PROCEDURE {other}.p2() SELECT 2",
    "ALTER PROCEDURE {other}.p COMMENT 'x'",
    "DROP PROCEDURE {other}.p",
    "CREATE FUNCTION {other}.f2() RETURNS INT DETERMINISTIC RETURN 2",
    "DROP FUNCTION {other}.f",
    "CREATE EVENT {other}.e2 ON SCHEDULE EVERY 1 DAY DISABLE DO SET @x = 1",
    "ALTER EVENT {other}.e COMMENT 'x'",
    "DROP EVENT {other}.e",
    "ALTER DATABASE {other} COLLATE utf8mb4_bin",
    "CREATE DATABASE other_of_one",
    "DROP DATABASE other_of_one",
    "ALTER USER {account} ACCOUNT LOCK",
    "SET PASSWORD FOR {account} = 'y'",
    "GRANT INSERT ON {other}.* TO {account}",
    "REVOKE INSERT ON {other}.* FROM {account}",
    "CREATE USER one_more@'%'",
    "RENAME USER one_more@'%' TO two_more@'%'",
    "CREATE ROLE a_role",
    "GRANT a_role TO {account}",
    "DROP ROLE a_role",
    "DROP USER two_more@'%'",
    "FLUSH TABLES",
    'CREATE SPATIAL REFERENCE SYSTEM 1999999 NAME \'x\' DEFINITION \'GEOGCS["x",DATUM["x",SPHEROID["x",6378137,298.257223563]],PRIMEM["x",0],UNIT["x",0.017453292519943278],AXIS["Lat",NORTH],AXIS["Lon",EAST]]\'',
    "DROP SPATIAL REFERENCE SYSTEM 1999999",
    "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')",
    "DROP SERVER s",
)
OURS = (
    "ALTER TABLE {ours}.no_key ADD COLUMN more INT DEFAULT 7",
    "INSERT INTO {ours}.no_key (a) VALUES (77)",
    "CREATE TABLE {ours}.copied LIKE {other}.t",
    "CREATE TABLE {ours}.filled AS SELECT * FROM {other}.t",
    "RENAME TABLE {other}.t3 TO {ours}.t3",
    "DROP TABLE {ours}.t3, {other}.t4",
    "CREATE PROCEDURE {ours}.p2() SELECT 2",
    "CREATE OR REPLACE VIEW {ours}.v2 AS SELECT a FROM {other}.t",
)


@pytest.fixture
def others(mysql_pair: Any) -> Iterator[None]:
    for server in mysql_pair:
        at_server(server, *MADE)
    yield
    for server in mysql_pair:
        at_server(server, f"DROP DATABASE {OTHER}", "DROP DATABASE IF EXISTS other_of_one", f"DROP USER {ACCOUNT}")


def content(server: Any) -> list[Any]:
    queries = (
        f"SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '{OTHER}' ORDER BY 1, 2",
        f"SELECT INDEX_NAME, TABLE_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = '{OTHER}' ORDER BY 1, 2",
        f"SELECT ROUTINE_NAME, ROUTINE_COMMENT FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '{OTHER}' ORDER BY 1",
        f"SELECT EVENT_NAME, EVENT_COMMENT FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '{OTHER}' ORDER BY 1",
        f"SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '{OTHER}' ORDER BY 1",
        f"SELECT * FROM {OTHER}.t ORDER BY 1",
        "SELECT * FROM information_schema.SCHEMATA ORDER BY 1, 2",
        "SELECT User, Host, account_locked, authentication_string FROM mysql.user ORDER BY 1, 2",
        "SELECT User, Db, Select_priv, Insert_priv FROM mysql.db ORDER BY 1, 2",
        "SELECT * FROM mysql.role_edges",
        "SELECT COUNT(*) FROM information_schema.ST_SPATIAL_REFERENCE_SYSTEMS",
        "SELECT COUNT(*) FROM mysql.servers",
    )
    return [at_server(server, query) for query in queries]


@pytest.mark.parametrize("default", ["none", "other", "ours"])
def test_explore(default: str, nasty: Any, there: Any, replica: ReplicaPair, folder: Path, others: None) -> None:
    ours = nasty.endpoint.schema
    schema = {"none": None, "other": OTHER, "ours": ours}[default]
    before = content(there.server)
    for template in (*STATEMENTS, *OURS):
        statement = template.format(other=OTHER, account=ACCOUNT, ours=ours)
        at_server(nasty.server, statement, schema=schema)
        try:
            point(replica, folder)
            outcome = "ok"
        except (TransientError, IntegrityError) as error:
            outcome = f"{type(error).__name__} {str(error)[:300]}"
            set_up_from_source(replica, folder)
        after = content(there.server)
        print(f"{default:6} {statement[:60]!r:64} {outcome} {'SAME' if after == before else 'CHANGED'}", flush=True)
        before = after
