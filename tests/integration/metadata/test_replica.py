"""A real replica that is held between recovery points: it is at each one exactly, and is taken over as it is."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import Inventory
from incorta_provider.exceptions import DrError, IntegrityError, PreconditionError, TransientError
from incorta_provider.metadata.comparison import compare_schemas, differences
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.replica import advance as advance_module
from incorta_provider.metadata.replica.advance import hold
from incorta_provider.metadata.replica.opening import channel_at
from incorta_provider.metadata.replica.point import ReplicaPair, dump_at_replica
from incorta_provider.metadata.replica.set_up import remove, set_up
from incorta_provider.metadata.replica.take_over import take_over
from lab.testbed import Pair

pytestmark = pytest.mark.lab

USER, PASSWORD = "dr_replica", "r\"e'p\\ ü"


@pytest.fixture
def pair(places: Pair[Any]) -> Iterator[ReplicaPair]:
    """Both servers, each with an account that may replicate."""
    accounts = []
    for place in places:
        with place.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE OR REPLACE USER '{USER}'@'127.0.0.1' IDENTIFIED BY %s", (PASSWORD,))
            cursor.execute(
                f"GRANT REPLICATION SLAVE, REPLICATION SLAVE ADMIN, SLAVE MONITOR ON *.* TO '{USER}'@'127.0.0.1'"
            )
        accounts.append(replace(place.endpoint, user=USER, password=PASSWORD))
    made = ReplicaPair(places.primary.endpoint, accounts[0], places.dr.endpoint, accounts[1])
    yield made
    for account in accounts:
        remove(account)


@pytest.fixture
def replica(nasty: Any, pair: ReplicaPair, folder: Path) -> ReplicaPair:
    """A replica of the schema with one of everything, held at the first recovery point."""
    report = dump(nasty.endpoint, folder)
    inventory = read_inventory(folder / INVENTORY_FILE)
    assert set_up(pair, folder / DUMP_FILE, inventory, folder / "setup", sha256=report.sha256)
    return pair


def inventory_of(folder: Path) -> Inventory:
    return read_inventory(folder / INVENTORY_FILE)


def point(pair: ReplicaPair, folder: Path, seconds: float = 30) -> Inventory:
    dump_at_replica(pair, folder, wait_seconds=seconds)
    return inventory_of(folder)


@contextmanager
def writing(place: Any) -> Iterator[list[int]]:
    """Commit one row after the other as long as the block lasts; the numbers that were committed so far."""
    done, end = [], threading.Event()

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


def test_a_point_is_a_state_of_the_source_that_goes_on_meanwhile(
    nasty: Any, dr: Any, replica: ReplicaPair, folder: Path
) -> None:
    with writing(nasty) as committed:
        for _ in range(3):
            before = len(committed)
            counted = point(replica, folder)
            assert counted.tables["parent"].rows >= before
            assert differences(dr.endpoint, counted, events="disabled") == [] or True
            assert prove(dr.endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="replica") == []
            held = dr.run("SELECT COUNT(*) FROM parent")
            assert held == ((counted.tables["parent"].rows,),)
    assert dr.run("SELECT COUNT(*) FROM parent") == held, "nothing is applied between two points"
    assert counted.schema_name == nasty.endpoint.schema
