"""Two MySQL servers of which one is a replica of the other, and what tests do with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from incorta_provider.dr.inventory import Inventory
from incorta_provider.metadata import rights
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines import mysql as engines
from incorta_provider.metadata.prove import read_inventory
from incorta_provider.metadata.replica.point import ReplicaPair, dump_at_replica
from incorta_provider.metadata.replica.set_up import set_up
from lab.servers.mysql import MySql

USER, PASSWORD = "dr_replica", "r\"e'p\\ ü"
ACCOUNT = f"'{USER}'@'127.0.0.1'"
APPLIER = engines.MySql.applier


def replica_account(place: Any) -> Endpoint:
    """Make the accounts of a replica, with just the listed rights, and return the endpoint of the one that logs in."""
    engine = place.endpoint.engine()
    at_server(
        place.server,
        f"DROP USER IF EXISTS {ACCOUNT}, {APPLIER}",
        f"CREATE USER {ACCOUNT} IDENTIFIED BY '{PASSWORD.replace(chr(92), chr(92) * 2).replace(chr(39), chr(39) * 2)}'",
        f"CREATE USER {APPLIER} ACCOUNT LOCK",
        *(grant.statement(ACCOUNT) for grant in rights.replica_grants(engine)),
        *(grant.statement(APPLIER) for grant in rights.applier_grants(place.endpoint.schema, engine)),
    )
    return replace(place.endpoint, user=USER, password=PASSWORD)


def same_schema_at(dr: Any, schema: str) -> Any:
    """Make an empty schema of this name at the other server too, with the rights of the account that reads."""
    account = f"'{dr.endpoint.user}'@'127.0.0.1'"
    granted = rights.statements(account, schema, dr.endpoint.engine())
    at_server(dr.server, f"CREATE DATABASE {schema}", *granted)
    return replace(dr, endpoint=replace(dr.endpoint, schema=schema))


def at_server(server: MySql, *statements: str, schema: str | None = None) -> tuple[tuple[object, ...], ...]:
    """Run statements as root, at no schema unless one is given; return the rows of the last."""
    with server.connect(schema) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return tuple(cursor.fetchall())


def schemas(server: MySql) -> set[str]:
    return {str(name) for (name,) in at_server(server, "SHOW DATABASES")}


def inventory_of(folder: Path) -> Inventory:
    return read_inventory(folder / INVENTORY_FILE)


def set_up_from_source(pair: ReplicaPair, folder: Path) -> bool:
    """Set the replica up at a point that is dumped at the source; return whether its schema was restored."""
    report = dump(pair.source, folder)
    return set_up(pair, folder / DUMP_FILE, inventory_of(folder), folder / "setup", sha256=report.sha256)


def point(pair: ReplicaPair, folder: Path, seconds: float = 30) -> Inventory:
    """Make a point from the replica and return what was counted at the source."""
    dump_at_replica(pair, folder, wait_seconds=seconds)
    return inventory_of(folder)


@contextmanager
def writing(place: Any) -> Iterator[list[int]]:
    """Commit one row after the other as long as the block lasts; the numbers that were committed so far."""
    done: list[int] = []
    end = threading.Event()

    def work() -> None:
        with place.server.connect(place.endpoint.schema) as connection, connection.cursor() as cursor:
            while not end.is_set():
                cursor.execute("INSERT INTO parent (id, d) VALUES (%s, 'busy')", (1000 + len(done),))
                done.append(1000 + len(done))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield done
    finally:
        end.set()
        thread.join()
