"""Two real MySQL servers beside the two MariaDB servers, and schemas on any of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.metadata import rights
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.replica.point import ReplicaPair
from incorta_provider.metadata.replica.set_up import remove
from lab.layout import Lab
from lab.mysql_release import MySqlRelease
from lab.passwords import passwords
from lab.servers.mariadb import MariaDb
from lab.servers.mysql import MySql
from lab.servers.server import start_all
from lab.supervisor import Supervisor
from lab.testbed import Pair
from tests.builders.lab_state import STATE
from tests.integration.metadata_engines.replicas import at_server, replica_account, same_schema_at, set_up_from_source

USER, PASSWORD = "dr_reader", "p\"a#s\\s' w;ör\tt"
RELEASE = STATE / "mysql"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """One schema: what the provider has of it, and the lab's own way in."""

    server: MariaDb | MySql
    endpoint: Endpoint

    def run(self, *statements: str) -> tuple[tuple[object, ...], ...]:
        """Run statements as root in the schema; return the rows of the last."""
        with self.server.connect(self.endpoint.schema) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES'")
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())


@pytest.fixture(scope="session")
def mysql_release() -> MySqlRelease:
    """Install MySQL's programs, once for all runs, and put them in front of the path."""
    release = MySqlRelease(RELEASE)
    release.install()
    return release


@pytest.fixture
def mysql_programs(mysql_release: MySqlRelease, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], str(mysql_release.programs)]))


@pytest.fixture(scope="session")
def mysql_pair(lab_layout: Lab, mysql_release: MySqlRelease) -> Pair[MySql]:
    """Start a MySQL server at both sites."""
    drawn = passwords(lab_layout).sites
    pair = Pair(*(MySql(site, mysql_release, drawn[site.name].mysql_root) for site in lab_layout.sites))
    start_all(pair, Supervisor(lab_layout))
    return pair


@pytest.fixture
def schema_at(mysql_programs: None) -> Iterator[Callable[..., Place]]:
    """Return a maker of empty schemas, each dropped afterwards."""
    made: list[Place] = []

    def make(server: MariaDb | MySql) -> Place:
        made.append(_make(server, f"engine_{next(_numbers)}"))
        return made[-1]

    yield make
    for place in made:
        with place.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{place.endpoint.schema}`")


def _make(server: MariaDb | MySql, schema: str) -> Place:
    account = f"'{USER}'@'127.0.0.1'"
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP USER IF EXISTS {account}")
        cursor.execute(f"CREATE USER {account} IDENTIFIED BY %s", (PASSWORD,))
        for statement in rights.statements(account, schema, engine_of(connection)):
            cursor.execute(statement)
        cursor.execute(f"CREATE DATABASE `{schema}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    return Place(server, Endpoint(server.host, server.port, USER, PASSWORD, schema, server.site_name))


@pytest.fixture
def primary(mysql_pair: Pair[MySql], schema_at: Callable[..., Place]) -> Place:
    return schema_at(mysql_pair.primary)


@pytest.fixture
def dr(mysql_pair: Pair[MySql], schema_at: Callable[..., Place]) -> Place:
    return schema_at(mysql_pair.dr)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "workspace"
    target.mkdir()
    return target


def build(place: Place, script: str) -> None:
    """Run a script of statements, each ended by a line with two semicolons."""
    text = (Path(__file__).parent / script).read_text(encoding="utf-8").replace("{schema}", place.endpoint.schema)
    with place.server.connect(place.endpoint.schema) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO'")
        for statement in text.split("\n;;\n"):
            cursor.execute(statement)


@pytest.fixture
def nasty(primary: Place) -> Place:
    """A schema at the primary with one of everything that MySQL has."""
    build(primary, "mysql.sql")
    return primary


@pytest.fixture
def pair(primary: Any, dr: Any) -> Iterator[ReplicaPair]:
    """Both servers with the same schema, each with an account that may replicate."""
    target = same_schema_at(dr, primary.endpoint.schema)
    accounts = [replica_account(primary), replica_account(target)]
    yield ReplicaPair(primary.endpoint, accounts[0], target.endpoint, accounts[1])
    for account in accounts:
        remove(account)
    at_server(dr.server, f"DROP DATABASE IF EXISTS {primary.endpoint.schema}")


@pytest.fixture
def there(dr: Any, pair: ReplicaPair) -> Any:
    """The replica's schema."""
    return replace(dr, endpoint=pair.replica)


@pytest.fixture
def replica(nasty: Any, pair: ReplicaPair, folder: Path) -> ReplicaPair:
    """A replica of the schema with one of everything, held at the first recovery point."""
    assert set_up_from_source(pair, folder)
    return pair
