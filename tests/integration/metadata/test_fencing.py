"""A fenced database refuses Incorta's writes, also after its restart; opened again it is as it was before."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
import pytest

from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.dr.inventory import DISABLED
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError, TransientError
from incorta_provider.metadata import fence_parts, rights
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.event_runs import event_runs
from incorta_provider.metadata.event_status import switch_events
from incorta_provider.metadata.fencing import ensure_fence_rights, fence_mark, fence_schema, unfence_schema
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.restore import replace_schema
from lab.servers.server import start
from lab.supervisor import Supervisor
from tests.integration.metadata.behind import written_behind

pytestmark = pytest.mark.lab

FENCER, APP, READER, ADMIN = "fencer_of_tests", "app_of_tests", "reader_of_tests", "admin_of_tests"
PASSWORD = "p\"a#s\\s' w;ör\tt"
MARK = FenceMark(group="acme", run_id="manual__1", by="hana", at=datetime(2026, 11, 25, 12, tzinfo=UTC))


@dataclasses.dataclass
class Guarded:
    """A place with an application that writes, one that reads, an administrator, and the account that fences."""

    place: Any
    endpoint: Endpoint

    def account(self, user: str) -> str:
        return f"'{user}'@'127.0.0.1'"

    def login(self, user: str) -> pymysql.connections.Connection[Any]:
        server = self.place.server
        return pymysql.connect(
            host=server.host,
            port=server.port,
            user=user,
            password=PASSWORD.encode(),
            database=self.endpoint.schema,
            charset="utf8mb4",
            autocommit=True,
        )

    def may_write(self, user: str) -> bool:
        """Tell whether an account can log in and change a row."""
        try:
            with closing(self.login(user)) as session, session.cursor() as cursor:
                cursor.execute("UPDATE orders SET amount = amount + 1")
        except pymysql.MySQLError:
            return False
        return True

    def fence(self) -> Any:
        return fence_schema(self.endpoint, MARK, login=APP)

    def variable(self, name: str) -> str:
        ((value,),) = self.place.run(f"SELECT @@GLOBAL.{name}")
        return str(value)

    def log_position(self) -> tuple[object, ...]:
        ((file, position, *_),) = self.place.run("SHOW MASTER STATUS")
        return file, position


@pytest.fixture
def guarded(primary: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    """The primary with these accounts; the lab's own schemas count as none."""
    schema = primary.endpoint.schema
    others = fence_parts.other_schemas
    monkeypatch.setattr(
        "incorta_provider.metadata.fencing.other_schemas",
        lambda session, own: [name for name in others(session, own) if name.startswith("neighbour")],
    )
    endpoint = dataclasses.replace(primary.endpoint, user=FENCER, password=PASSWORD)
    found = Guarded(primary, endpoint)
    accounts = [found.account(user) for user in (FENCER, APP, READER, ADMIN)]
    for account in accounts:
        with primary.server.connect() as session, session.cursor() as cursor:
            cursor.execute(f"CREATE OR REPLACE USER {account} IDENTIFIED BY %s", (PASSWORD,))
    fencing = [grant.statement(found.account(FENCER)) for grant in rights.fence_grants()]
    primary.run(
        *rights.statements(found.account(FENCER), schema),
        *fencing,
        f"GRANT ALL ON `{schema}`.* TO {found.account(APP)}",
        f"GRANT SELECT ON `{schema}`.* TO {found.account(READER)}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO {found.account(ADMIN)}",
        "CREATE TABLE orders (id INT PRIMARY KEY, amount INT NOT NULL) ENGINE = InnoDB",
        "INSERT INTO orders VALUES (1, 0)",
        f"CREATE DEFINER = {found.account(APP)} EVENT ticking ON SCHEDULE EVERY 1 SECOND "
        "DO UPDATE orders SET amount = 1",
        f"CREATE DEFINER = {found.account(APP)} EVENT resting ON SCHEDULE EVERY 1 SECOND DISABLE DO SET @a = 1",
    )
    yield found
    with primary.server.connect() as session, session.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = OFF")
        cursor.execute("DROP DATABASE IF EXISTS `_dr_fence`")
        for account in accounts:
            cursor.execute(f"DROP USER IF EXISTS {account}")


def events(guarded: Guarded) -> dict[str, tuple[str, str]]:
    rows = guarded.place.run(
        "SELECT EVENT_NAME, STATUS, DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"
    )
    return {name: (status, definer) for name, status, definer in rows}


def test_a_fence_locks_who_may_write_and_is_read_back(guarded: Guarded) -> None:
    assert guarded.may_write(APP) is True
    before = guarded.log_position()
    found = guarded.fence()
    assert f"{APP}@127.0.0.1" in found.accounts
    assert f"{ADMIN}@127.0.0.1" in found.administrators
    assert (found.events, found.read_only) == (["ticking"], "on")
    assert [guarded.may_write(user) for user in (APP, ADMIN, FENCER)] == [False, False, True]
    guarded.login(READER).close()
    assert events(guarded) == {"ticking": ("DISABLED", f"{APP}@127.0.0.1"), "resting": ("DISABLED", f"{APP}@127.0.0.1")}
    mark = fence_mark(guarded.endpoint)
    assert mark is not None
    assert (mark.run_id, mark.by, mark.read_only, mark.events) == ("manual__1", "hana", True, ("ticking",))
    guarded.place.run("SET GLOBAL read_only = OFF")
    assert before[0] == guarded.log_position()[0]
    assert "ACCOUNT LOCK" not in logged(guarded, before)


def logged(guarded: Guarded, since: tuple[object, ...]) -> str:
    file, position = since
    return str(guarded.place.run(f"SHOW BINLOG EVENTS IN '{file}' FROM {position} LIMIT 1000"))


def test_it_survives_a_restart_of_the_server(guarded: Guarded, lab_layout: Any) -> None:
    guarded.fence()
    server = guarded.place.server
    Supervisor(lab_layout).stop(server.name)
    start(server, Supervisor(lab_layout))
    assert guarded.variable("read_only") == "0"  # forgotten, and nobody who works with the schema can use that
    assert guarded.may_write(APP) is False
    assert events(guarded)["ticking"][0] == "DISABLED"
    guarded.fence()
    assert guarded.variable("read_only") == "1"


def test_open_sessions_end_and_their_work_is_rolled_back(guarded: Guarded) -> None:
    guarded.place.run("DROP EVENT ticking", "UPDATE orders SET amount = 0")
    session = guarded.login(APP)
    session.begin()
    with session.cursor() as cursor:
        cursor.execute("UPDATE orders SET amount = 99")
    guarded.fence()
    with pytest.raises(pymysql.MySQLError):
        session.commit()
    assert guarded.place.run("SELECT amount FROM orders") == ((0,),)


def test_nobody_who_writes_all_the_time_slips_through(guarded: Guarded) -> None:
    guarded.place.run("DROP EVENT ticking")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            guarded.may_write(APP)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        while guarded.place.run("SELECT amount FROM orders") == ((0,),):
            time.sleep(0.02)
        guarded.fence()
        first = guarded.place.run("SELECT amount FROM orders")
        time.sleep(0.5)
        assert guarded.place.run("SELECT amount FROM orders") == first
        assert first != ((0,),)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_an_event_of_an_administrator_that_still_runs_is_ended(guarded: Guarded) -> None:
    """Its account is not locked, and what it would write comes behind the fence."""
    guarded.place.run(
        "CREATE EVENT slow ON SCHEDULE EVERY 1 HOUR DO BEGIN DO SLEEP(200); UPDATE orders SET amount = 77; END"
    )

    def executions() -> list[int]:
        with guarded.endpoint.connect() as session:
            return event_runs(session, guarded.endpoint.schema).executions

    deadline = time.monotonic() + 60
    while not executions():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert guarded.fence().events == ["slow", "ticking"]
    assert executions() == []


def test_a_fence_that_is_repeated_watches_the_events_of_its_first_try(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try may have died right behind its statement, which the server's scheduler undoes later."""
    guarded.fence()
    behind = written_behind(monkeypatch, guarded.place)
    assert guarded.fence().events == ["ticking"]
    assert behind == [[]]
    assert events(guarded)["ticking"][0] == "DISABLED"


def test_what_is_fenced_already_is_a_pass_and_what_was_locked_before_stays_locked(guarded: Guarded) -> None:
    switch_events(guarded.endpoint, ["ticking"], DISABLED)
    guarded.place.run(f"ALTER USER {guarded.account(APP)} ACCOUNT LOCK", "SET GLOBAL read_only = ON")
    assert guarded.fence().read_only == "on"
    again = guarded.fence()
    assert f"{APP}@127.0.0.1" in again.accounts
    mark = unfence_schema(guarded.endpoint, events=True)
    assert mark is not None
    assert (APP, "127.0.0.1") not in mark.accounts
    assert (mark.events, mark.read_only, guarded.variable("read_only")) == ((), False, "1")
    assert guarded.may_write(APP) is False


@pytest.mark.parametrize("with_events", [True, False])
def test_opened_again_it_is_as_it_was(guarded: Guarded, *, with_events: bool) -> None:
    guarded.fence()
    guarded.fence()
    assert unfence_schema(guarded.endpoint, events=with_events) is not None
    assert [guarded.may_write(user) for user in (APP, ADMIN)] == [True, True]
    assert guarded.variable("read_only") == "0"
    on = "ENABLED" if with_events else "DISABLED"
    assert events(guarded) == {"ticking": (on, f"{APP}@127.0.0.1"), "resting": ("DISABLED", f"{APP}@127.0.0.1")}
    assert fence_mark(guarded.endpoint) is None
    assert "_dr_fence" not in guarded.place.schemas()
    assert unfence_schema(guarded.endpoint, events=True) is None


def test_an_account_that_was_dropped_meanwhile_holds_up_no_opening(guarded: Guarded) -> None:
    guarded.fence()
    guarded.place.run(f"DROP USER {guarded.account(APP)}", "DROP EVENT ticking")
    assert unfence_schema(guarded.endpoint, events=True) is not None


def test_a_server_that_holds_other_schemas_is_not_made_read_only(guarded: Guarded) -> None:
    guarded.place.run("CREATE DATABASE neighbour_of_tests")
    try:
        found = guarded.fence()
        assert found.read_only == "left as it is: neighbour_of_tests on the same server"
        assert (guarded.variable("read_only"), guarded.may_write(APP)) == ("0", False)
        assert guarded.may_write(ADMIN) is True
    finally:
        guarded.place.run("DROP DATABASE neighbour_of_tests")


@pytest.mark.parametrize(
    ("right", "place"),
    [
        *((right, "*.*") for right in ("CREATE USER", "READ_ONLY ADMIN", "CONNECTION ADMIN", "BINLOG ADMIN")),
        ("SHOW DATABASES", "*.*"),
        ("PROCESS", "*.*"),
        ("CREATE", "`\\_dr\\_fence`.*"),
        ("SELECT", "mysql.db"),
        ("SELECT", "mysql.roles_mapping"),
    ],
)
def test_a_right_that_is_missing_is_named_before_anything_is_changed(guarded: Guarded, right: str, place: str) -> None:
    ensure_fence_rights(guarded.endpoint)
    guarded.place.run(f"REVOKE {right} ON {place} FROM {guarded.account(FENCER)}")
    with pytest.raises(ConfigurationError, match="lacks rights to fence") as caught:
        guarded.fence()
    assert f"GRANT {right} ON" in caught.value.fix
    assert guarded.may_write(APP) is True


def test_incortas_own_account_would_lock_itself_out(guarded: Guarded) -> None:
    with pytest.raises(ConfigurationError, match="Incorta's own"):
        fence_schema(guarded.endpoint, MARK, login=FENCER)


def test_a_part_that_fails_is_named_and_the_others_are_done(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise pymysql.err.OperationalError(1205, "Lock wait timeout exceeded")

    monkeypatch.setattr("incorta_provider.metadata.fencing.set_read_only", refused)
    with pytest.raises(TransientError, match=r"not fenced: read_only: .*Lock wait timeout"):
        guarded.fence()
    assert (guarded.may_write(APP), events(guarded)["ticking"][0]) == (False, "DISABLED")
    monkeypatch.undo()


def test_cut_off_after_the_lock_it_is_known_what_has_to_be_unlocked(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("incorta_provider.metadata.fencing.end_sessions", killed)
    with suppress(KeyboardInterrupt):
        guarded.fence()
    assert guarded.may_write(APP) is False
    unfence_schema(guarded.endpoint, events=True)
    assert guarded.may_write(APP) is True


def test_a_mark_that_is_none_is_refused(guarded: Guarded) -> None:
    guarded.fence()
    guarded.place.run("UPDATE `_dr_fence`.fence SET mark = '{}'")
    with pytest.raises(IntegrityError, match="not the mark of a fence"):
        unfence_schema(guarded.endpoint, events=True)


def test_a_locked_account_is_told_as_what_it_is(guarded: Guarded) -> None:
    guarded.fence()
    with pytest.raises(PreconditionError, match="the account is locked"):
        dataclasses.replace(guarded.endpoint, user=APP).connect()


def test_a_fenced_site_is_proven_and_restored_to_by_our_own_account(guarded: Guarded, dr: Any, folder: Path) -> None:
    """The way home: what is at the other site comes to the fenced one, and the fence stays until it is opened."""
    dr.run("CREATE TABLE orders (id INT PRIMARY KEY, amount INT NOT NULL) ENGINE = InnoDB")
    dr.run("INSERT INTO orders VALUES (1, 41), (2, 42)")
    dump(dr.endpoint, folder)
    archive, inventory = folder / DUMP_FILE, folder / INVENTORY_FILE
    guarded.fence()
    assert prove(guarded.endpoint, archive, inventory, scratch_key="home") == []
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    known = read_inventory(inventory)
    assert replace_schema(guarded.endpoint, archive, known, folder / "switch", sha256=digest) == []
    assert (guarded.may_write(APP), guarded.variable("read_only")) == (False, "1")
    unfence_schema(guarded.endpoint, events=False)
    assert guarded.place.run("SELECT id, amount FROM orders") == ((1, 41), (2, 42))
    assert guarded.may_write(APP) is True
