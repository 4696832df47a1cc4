"""A real replica that is held between recovery points: it is at each one exactly, and is taken over as it is."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.replica import problems
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError, TransientError
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.member import catch_up
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.replica import advance as advance_module
from incorta_provider.metadata.replica import set_up as set_up_module
from incorta_provider.metadata.replica.advance import hold
from incorta_provider.metadata.replica.channel import NAME, tables_of_schema
from incorta_provider.metadata.replica.equal import replica_differences
from incorta_provider.metadata.replica.opening import channel_at
from incorta_provider.metadata.replica.point import ReplicaPair, dump_at_replica
from incorta_provider.metadata.replica.set_up import remove, set_up
from incorta_provider.metadata.replica.take_over import take_over
from incorta_provider.metadata.rights import replica_grants
from lab.layout import Lab
from lab.supervisor import Supervisor
from lab.testbed import Pair
from tests.integration.metadata.test_kill import start_again

pytestmark = pytest.mark.lab

USER, PASSWORD = "dr_replica", "r\"e'p\\ ü"


@pytest.fixture
def pair(places: Pair[Any]) -> Iterator[ReplicaPair]:
    """Both servers, each with an account that may replicate."""
    accounts = []
    for place in places:
        with place.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE OR REPLACE USER '{USER}'@'127.0.0.1' IDENTIFIED BY %s", (PASSWORD,))
            for grant in replica_grants():
                cursor.execute(grant.statement(f"'{USER}'@'127.0.0.1'"))
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
            rows = counted.tables["parent"].rows
            assert rows >= before
            assert dr.run("SELECT COUNT(*) FROM parent") == ((rows,),), "nothing is applied between two points"
    assert replica_differences(dr.endpoint, counted) == []
    assert prove(dr.endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="replica") == []
    assert counted.events["every_second"].status == "ENABLED", "as it is at the source"


def test_definitions_follow_as_rows_do(nasty: Any, dr: Any, replica: ReplicaPair, folder: Path) -> None:
    nasty.run(
        "ALTER TABLE no_key ADD COLUMN more INT DEFAULT 7",
        "DELETE FROM no_key WHERE b = 'same' LIMIT 2",
        "CREATE TABLE made (id INT PRIMARY KEY, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
        "INSERT INTO made (id) VALUES (1)",
        "CREATE TRIGGER made_one BEFORE INSERT ON made FOR EACH ROW SET NEW.id = NEW.id + 100",
        "INSERT INTO made (id) VALUES (2)",
        "CREATE OR REPLACE VIEW b_first AS SELECT id, 'new' AS loud FROM made",
        "DROP PROCEDURE `do it`",
        "ALTER EVENT every_second ON SCHEDULE EVERY 2 SECOND",
        "CREATE EVENT later ON SCHEDULE EVERY 1 DAY DO SET @x = 1",
    )
    point(replica, folder)
    assert dr.run("SELECT id FROM made ORDER BY id") == ((1,), (102,)), "a trigger runs at the source alone"
    ran = dr.run(
        "SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() AND STATUS = 'ENABLED'"
    )
    assert ran == ((0,),)


def test_other_schemas_and_accounts_of_the_source_stay_there(
    nasty: Any, dr: Any, replica: ReplicaPair, folder: Path
) -> None:
    """A fence locks the account of Incorta at the source: the replica's own must not be locked by that."""
    for place in (nasty, dr):
        with place.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE USER app_of_both@'%' IDENTIFIED BY 'x'")
    try:
        with nasty.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("ALTER USER app_of_both@'%' ACCOUNT LOCK")
            cursor.execute("CREATE DATABASE another_of_the_source")
            cursor.execute("CREATE TABLE another_of_the_source.t (a INT)")
        nasty.run("INSERT INTO empty_one VALUES (7)")
        assert point(replica, folder).tables["empty_one"].rows == 1
        assert "another_of_the_source" not in dr.schemas()
        assert "ACCOUNT LOCK" not in str(dr.run("SHOW CREATE USER app_of_both@'%'"))
    finally:
        for place in (nasty, dr):
            with place.server.connect() as connection, connection.cursor() as cursor:
                cursor.execute("DROP USER app_of_both@'%'")
                cursor.execute("DROP DATABASE IF EXISTS another_of_the_source")


def test_what_somebody_wrote_at_the_replica_voids_the_point(dr: Any, replica: ReplicaPair, folder: Path) -> None:
    dr.run("INSERT INTO empty_one VALUES (99)")
    with pytest.raises(IntegrityError, match=r"from its source in 1 place\(s\):\n.*`empty_one`: .*found 1"):
        point(replica, folder)
    assert not (folder / INVENTORY_FILE).exists()
    assert not (folder / DUMP_FILE).exists()


def test_a_row_that_cannot_be_applied_is_told_in_the_servers_words(
    nasty: Any, dr: Any, replica: ReplicaPair, folder: Path
) -> None:
    dr.run("INSERT INTO empty_one VALUES (5)")
    nasty.run("INSERT INTO empty_one VALUES (5)")
    with pytest.raises(TransientError, match=r"the replica cannot be used: .*Duplicate entry '5'"):
        point(replica, folder)
    dr.run("DELETE FROM empty_one")
    assert point(replica, folder).tables["empty_one"].rows == 1, "it goes on once that is mended"


def test_a_replica_that_does_not_get_there_in_time_goes_that_far_and_no_further(
    nasty: Any, dr: Any, replica: ReplicaPair, folder: Path
) -> None:
    with dr.server.connect(dr.endpoint.schema) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES empty_one WRITE")
        nasty.run("INSERT INTO empty_one VALUES (1)", "INSERT INTO no_key VALUES (1, 'x')")
        with pytest.raises(TransientError, match=r"in time; \d+ transaction\(s\) are not applied"):
            point(replica, folder, seconds=0.5)
        nasty.run("INSERT INTO empty_one VALUES (2)")
        cursor.execute("UNLOCK TABLES")
    deadline = time.monotonic() + 60
    while dr.run("SELECT COUNT(*) FROM no_key WHERE b = 'x'") != ((1,),):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert dr.run("SELECT a FROM empty_one") == ((1,),), "no further than that point"
    assert point(replica, folder).tables["empty_one"].rows == 2


def test_a_replica_at_the_point_is_taken_over_and_cut_off(
    nasty: Any, dr: Any, replica: ReplicaPair, folder: Path
) -> None:
    nasty.run("INSERT INTO empty_one VALUES (1)")
    counted = point(replica, folder)
    nasty.run("INSERT INTO empty_one VALUES (2)")
    for _ in range(2):
        assert take_over(dr.endpoint, replica.replica_account, counted)
    with channel_at(replica.replica_account) as channel:
        assert channel.state() is None
    assert dr.run("SELECT a FROM empty_one") == ((1,),)
    dr.run("INSERT INTO empty_one VALUES (2)")
    assert not take_over(dr.endpoint, replica.replica_account, counted), "by full comparison"


def test_a_replica_that_is_past_the_point_is_cut_off_and_not_taken(
    nasty: Any, dr: Any, replica: ReplicaPair, folder: Path
) -> None:
    first = point(replica, folder)
    nasty.run("INSERT INTO empty_one VALUES (1)")
    point(replica, folder)
    assert not take_over(dr.endpoint, replica.replica_account, first)
    with channel_at(replica.replica_account) as channel:
        assert channel.state() is None


def test_a_replica_is_set_up_again_without_a_restore_where_it_is_at_the_point(
    replica: ReplicaPair, folder: Path
) -> None:
    report = dump_at_replica(replica, folder, wait_seconds=30)
    again = (replica, folder / DUMP_FILE, inventory_of(folder), folder / "setup")
    assert not set_up(*again, sha256=report.sha256)
    point(replica, folder)


@pytest.mark.chaos
def test_a_set_up_that_was_cut_off_is_begun_anew(
    nasty: Any, dr: Any, pair: ReplicaPair, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dr.run("CREATE TABLE precious (a INT)")
    report = dump(nasty.endpoint, folder)
    arguments = (pair, folder / DUMP_FILE, inventory_of(folder), folder / "setup")
    with monkeypatch.context() as patch:
        patch.setattr(set_up_module, "commit_schema", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            set_up(*arguments, sha256=report.sha256)
    assert (folder / "setup").exists()
    nasty.run("INSERT INTO empty_one VALUES (1)")
    report = dump(nasty.endpoint, folder)
    assert set_up(pair, folder / DUMP_FILE, inventory_of(folder), folder / "setup", sha256=report.sha256)
    assert dr.beside() == []
    assert not (folder / "setup").exists()


@pytest.mark.chaos
@pytest.mark.parametrize("what", ["password", "log"])
def test_a_source_that_gives_nothing_is_told_in_the_servers_words(
    what: str, nasty: Any, pair: ReplicaPair, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advance_module, "CONNECT_SECONDS", 2)
    report = dump(nasty.endpoint, folder)
    inventory = inventory_of(folder)
    if what == "password":
        pair, said = replace(pair, source_account=replace(pair.source_account, password="wrong")), "Access denied"
    else:
        inventory, said = inventory.model_copy(update={"gtid": "1-1-999999999"}), "not in the master's binlog"
    with pytest.raises(TransientError, match=f"the replica cannot be used: .*{said}"):
        set_up(pair, folder / DUMP_FILE, inventory, folder / "setup", sha256=report.sha256)


def test_a_server_that_replicates_something_else_is_left_alone(
    nasty: Any, dr: Any, pair: ReplicaPair, folder: Path
) -> None:
    report = dump(nasty.endpoint, folder)
    with dr.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CHANGE MASTER 'theirs' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1")
        try:
            with pytest.raises(PreconditionError, match="replicates already: theirs"):
                set_up(pair, folder / DUMP_FILE, inventory_of(folder), folder / "setup", sha256=report.sha256)
        finally:
            cursor.execute("RESET SLAVE 'theirs' ALL")


def test_a_server_that_is_no_replica_is_told_what_to_do(pair: ReplicaPair) -> None:
    with pytest.raises(PreconditionError, match=r"is no replica.*metadata replica setup"):
        hold(pair.replica_account, pair.source_account, pair.source.schema)
    assert not remove(pair.replica_account)


@contextmanager
def running_on(dr: Any) -> Iterator[None]:
    """Let the replica be a member of a cluster: it applies all the time, and nobody writes there."""
    with dr.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        cursor.execute(f"START SLAVE '{NAME}' SQL_THREAD")
        try:
            yield
        finally:
            cursor.execute("SET GLOBAL read_only = 0")


def test_a_dump_at_a_member_is_as_new_as_the_primary(nasty: Any, dr: Any, replica: ReplicaPair, folder: Path) -> None:
    with running_on(dr):
        for number in (1, 2, 3):
            nasty.run(f"INSERT INTO empty_one VALUES ({number})")
            catch_up(nasty.endpoint, dr.endpoint)
            dump(dr.endpoint, folder)
            assert inventory_of(folder).tables["empty_one"].rows == number
            assert inventory_of(folder).gtid.startswith("1-1-")
        with dr.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"STOP SLAVE '{NAME}' SQL_THREAD")
        nasty.run("INSERT INTO empty_one VALUES (4)")
        with pytest.raises(TransientError, match=r"the member did not get to 1-1-\d+ within 0.5 s"):
            catch_up(nasty.endpoint, dr.endpoint, 0.5)


def test_a_member_that_takes_writes_is_refused(primary: Any, dr: Any) -> None:
    with pytest.raises(ConfigurationError, match="no dump is made at this member: it takes writes"):
        catch_up(primary.endpoint, dr.endpoint)


PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.replica import advance as advance_module
from incorta_provider.metadata.replica import point as point_module

fields, folder, moment = json.loads(sys.stdin.read())

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if moment == "counted":
    point_module.advance = die
elif moment == "applying":
    advance_module._wait = die
elif moment == "applied":
    point_module.dump = die
else:
    point_module._ensure_equal = die
pair = point_module.ReplicaPair(*(Endpoint(**each) for each in fields))
point_module.dump_at_replica(pair, Path(folder), wait_seconds=30)
"""


@pytest.mark.chaos
@pytest.mark.parametrize("moment", ["counted", "applying", "applied", "dumped"])
def test_a_point_that_was_killed_is_made_again_from_wherever_the_replica_is(
    moment: str, nasty: Any, dr: Any, replica: ReplicaPair, folder: Path
) -> None:
    nasty.run("INSERT INTO empty_one VALUES (1)")
    fields = [dataclasses.asdict(getattr(replica, each.name)) for each in dataclasses.fields(replica)]
    order = json.dumps([fields, str(folder), moment])
    ended = subprocess.run([sys.executable, "-c", PROGRAM], input=order, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    nasty.run("INSERT INTO empty_one VALUES (2)")
    counted = point(replica, folder)
    assert counted.tables["empty_one"].rows == 2
    assert take_over(dr.endpoint, replica.replica_account, counted)


@pytest.mark.chaos
def test_a_server_that_was_restarted_is_held_again_by_the_next_point(
    nasty: Any, dr: Any, replica: ReplicaPair, folder: Path, lab_layout: Lab
) -> None:
    """It goes on by itself, and without the filter: told by its state, and set right."""
    supervisor = Supervisor(lab_layout)
    supervisor.kill(dr.server.name)
    start_again(dr.server, lab_layout)
    nasty.run("INSERT INTO empty_one VALUES (1)")
    with channel_at(replica.replica_account) as channel:
        state = channel.state()
    assert state is not None
    source = f"{replica.source_account.host}:{replica.source_account.port}"
    assert any("its server was restarted" in told for told in problems(state, source=source, tables="x"))
    assert point(replica, folder).tables["empty_one"].rows == 1
    with channel_at(replica.replica_account) as channel:
        held = channel.state()
    assert held is not None
    assert (held.applying, held.tables) == (False, tables_of_schema(nasty.endpoint.schema))
