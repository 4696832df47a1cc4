"""The fence of a MySQL: as at a MariaDB, and what it made read-only stays so over a restart."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pymysql
import pytest

from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata import fence_parts, rights
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.event_runs import event_runs
from incorta_provider.metadata.fencing import fence_mark, fence_schema, unfence_schema
from lab.servers.server import start
from lab.supervisor import Supervisor

pytestmark = pytest.mark.mysql

FENCER, APP, PASSWORD = "'fencer'@'127.0.0.1'", "'app'@'127.0.0.1'", "p\"a#s\\s' w;ör\tt"
MARK = FenceMark(group="acme", run_id="manual__1", by="hana", at=datetime(2026, 11, 25, 12, tzinfo=UTC))


@pytest.fixture
def endpoint(primary: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """The primary with an application that writes through a role, and the account that fences."""
    schema = primary.endpoint.schema
    others = fence_parts.other_schemas
    monkeypatch.setattr(
        "incorta_provider.metadata.fencing.other_schemas",
        lambda session, own: [name for name in others(session, own) if not name.startswith("engine_")],
    )
    with primary.server.connect() as session, session.cursor() as cursor:
        engine = engine_of(session)
        for account in (FENCER, APP):
            cursor.execute(f"CREATE USER {account} IDENTIFIED BY %s", (PASSWORD,))
        cursor.execute("CREATE ROLE writer")
        cursor.execute(f"GRANT ALL ON `{schema}`.* TO writer")
        cursor.execute(f"GRANT writer TO {APP}")
        cursor.execute(f"SET DEFAULT ROLE writer TO {APP}")
        for statement in rights.statements(FENCER, schema, engine):
            cursor.execute(statement)
        for grant in rights.fence_grants(engine):
            cursor.execute(grant.statement(FENCER))
    primary.run(
        "CREATE TABLE orders (id INT PRIMARY KEY, amount INT NOT NULL)",
        "INSERT INTO orders VALUES (1, 0)",
        f"CREATE DEFINER = {APP} EVENT ticking ON SCHEDULE EVERY 1 SECOND DO UPDATE orders SET amount = 1",
    )
    yield dataclasses.replace(primary.endpoint, user="fencer", password=PASSWORD)
    with primary.server.connect() as session, session.cursor() as cursor:
        cursor.execute("SET PERSIST read_only = OFF")
        cursor.execute("RESET PERSIST IF EXISTS read_only")
        cursor.execute("DROP DATABASE IF EXISTS `_dr_fence`")
        cursor.execute(f"DROP USER IF EXISTS {FENCER}, {APP}")
        cursor.execute("DROP ROLE IF EXISTS writer")


def may_write(endpoint: Endpoint) -> bool:
    try:
        with closing(dataclasses.replace(endpoint, user="app").connect()) as session, session.cursor() as cursor:
            cursor.execute("UPDATE orders SET amount = amount + 1")
    except Exception:
        return False
    return True


def status(primary: Any) -> tuple[object, ...]:
    query = "SELECT STATUS, DEFINER, @@GLOBAL.read_only FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"
    return primary.run(query)[0]


def test_a_fence_outlives_a_restart_and_is_undone_as_a_whole(primary: Any, endpoint: Endpoint, lab_layout: Any) -> None:
    assert may_write(endpoint) is True
    found = fence_schema(endpoint, MARK, login="app")
    assert "app@127.0.0.1" in found.accounts
    assert "root@127.0.0.1" in found.administrators
    assert (found.read_only, found.events) == ("on", ["ticking"])
    Supervisor(lab_layout).stop(primary.server.name)
    start(primary.server, Supervisor(lab_layout))
    assert (may_write(endpoint), status(primary)) == (False, ("DISABLED", "app@127.0.0.1", 1))
    assert fence_schema(endpoint, MARK, login="app").read_only == "on"
    mark = unfence_schema(endpoint, events=True)
    assert mark is not None
    assert mark.read_only is True
    assert (may_write(endpoint), status(primary)) == (True, ("ENABLED", "app@127.0.0.1", 0))
    assert fence_mark(endpoint) is None


def test_an_open_session_ends(endpoint: Endpoint, primary: Any) -> None:
    session = dataclasses.replace(endpoint, user="app").connect()
    fence_schema(endpoint, MARK, login="app")
    with pytest.raises(pymysql.MySQLError):
        session.query("UPDATE orders SET amount = 99")


@pytest.mark.parametrize("right", ["CONNECTION_ADMIN", "SYSTEM_VARIABLES_ADMIN", "CREATE USER", "SHOW DATABASES"])
def test_a_right_that_is_missing_is_named(endpoint: Endpoint, primary: Any, right: str) -> None:
    primary.run(f"REVOKE {right} ON *.* FROM {FENCER}")
    with pytest.raises(ConfigurationError, match="lacks rights to fence") as caught:
        fence_schema(endpoint, MARK, login="app")
    assert f"GRANT {right} ON" in caught.value.fix


def test_an_event_of_an_administrator_that_still_runs_is_ended(endpoint: Endpoint, primary: Any) -> None:
    """MySQL's process list shows scheduler and executions as MariaDB's does."""
    primary.run("CREATE EVENT slow ON SCHEDULE EVERY 1 HOUR DO BEGIN DO SLEEP(200); UPDATE orders SET amount = 77; END")

    def executions() -> list[int]:
        with endpoint.connect() as session:
            return event_runs(session, endpoint.schema).executions

    deadline = time.monotonic() + 60
    while not executions():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert fence_schema(endpoint, MARK, login="app").events == ["slow", "ticking"]
    assert executions() == []


def test_an_event_in_a_routine_of_another_schema_is_seen(endpoint: Endpoint, primary: Any) -> None:
    other = f"{primary.endpoint.schema}_other"
    primary.run(
        f"CREATE DATABASE {other}",
        f"CREATE PROCEDURE {other}.slow() DO SLEEP(200)",
        f"CREATE EVENT slow ON SCHEDULE EVERY 1 HOUR DO CALL `{other}` . slow()",
    )
    deadline = time.monotonic() + 60
    while not (found := _elsewhere(endpoint)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    primary.run(f"KILL {found[0]}", f"DROP DATABASE {other}")


def _elsewhere(endpoint: Endpoint) -> list[int]:
    with endpoint.connect() as session:
        return event_runs(session, endpoint.schema).elsewhere
