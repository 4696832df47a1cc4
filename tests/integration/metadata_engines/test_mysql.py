"""MySQL to MySQL: dump, proof and restore on two real servers, whoever writes or redefines meanwhile."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import Difference
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.metadata import dump as dump_module
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.engines import mysql
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.restore import enable_events, replace_schema

pytestmark = pytest.mark.mysql

VALUES = (
    "HEX(text_value), HEX(latin), HEX(wide), HEX(cased), HEX(fixed), HEX(raw), HEX(fixed_raw), SHA2(big, 256), "
    "flags + 0, "
    "HEX(document), HEX(spot), HEX(place), HEX(direction), amount, ratio, small + 0e0, choice + 0, many + 0, "
    "moment, day, UNIX_TIMESTAMP(stamped), UNIX_TIMESTAMP(seen), lasted, born, hidden, HEX(from_document), doubled"
)


def proven(dr: Any, folder: Path) -> list[Difference]:
    return prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="mysql")


def restored(dr: Any, folder: Path, backup: Path) -> list[Difference]:
    archive = folder / "metadata.sql.zst"
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    return replace_schema(dr.endpoint, archive, read_inventory(folder / "inventory.json"), backup, sha256=sha256)


def test_one_of_everything_is_proven_restored_and_works(nasty: Any, dr: Any, folder: Path, tmp_path: Path) -> None:
    report = dump(nasty.endpoint, folder)
    assert (report.tables, report.attempts) == (9, 1)
    assert proven(dr, folder) == []
    dr.run("CREATE TABLE before_it (a INT PRIMARY KEY) SELECT 1 AS a")
    assert restored(dr, folder, tmp_path / "backup") == []
    query = f"SELECT {VALUES} FROM kinds ORDER BY id"
    assert dr.run(query) == nasty.run(query)
    assert len(dr.run(query)) == 3
    dr.run("INSERT INTO parent (id, d) VALUES (50, 'x')", "INSERT INTO child VALUES (50, 50, 'a path')")
    assert dr.run("SELECT d FROM parent WHERE id = 50") == (("xä12",),)
    assert dr.run("SELECT what FROM audit WHERE what = 'a path'") == (("a path",),)
    assert dr.run("CALL `do it`(4, @y)", "SELECT @y") == ((5,),)
    assert dr.run("SELECT COUNT(*) FROM a_second") == ((2,),)
    assert enable_events(dr.endpoint, read_inventory(folder / "inventory.json")) == ["every_second", "soon"]
    statuses = dr.run("SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()")
    assert dict(statuses) == {"every_second": "ENABLED", "soon": "ENABLED", "at_the_replica": "DISABLED"}


@contextmanager
def transfers(place: Any) -> Iterator[list[int]]:
    """Move money between two tables in two sessions, as fast as they can; yields how often each did."""
    place.run(
        "CREATE TABLE one (id INT PRIMARY KEY, amount BIGINT NOT NULL)",
        "CREATE TABLE two LIKE one",
        "INSERT INTO one VALUES " + ", ".join(f"({n}, 1000)" for n in range(500)),
        "INSERT INTO two SELECT * FROM one",
    )
    over = threading.Event()
    done = [0, 0]

    def loop(number: int) -> None:
        with place.server.connect(place.endpoint.schema) as connection, connection.cursor() as cursor:
            for turn in itertools.count():
                if over.is_set():
                    return
                row = turn * 2 % 500 + number
                cursor.execute("START TRANSACTION")
                cursor.execute("UPDATE one SET amount = amount - 1 WHERE id = %s", (row,))
                cursor.execute("UPDATE two SET amount = amount + 1 WHERE id = %s", (row,))
                cursor.execute("COMMIT")
                done[number] += 1

    threads = [threading.Thread(target=loop, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("gtids", [True, False])
def test_dump_and_counts_are_one_state_under_writers(
    gtids: bool, primary: Any, dr: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not gtids:
        monkeypatch.setattr(mysql, "_has_gtids", lambda session: False)
    with transfers(primary) as done:
        before = sum(done)
        report = dump(primary.endpoint, folder)
        assert sum(done) > before
    assert report.attempts == 1
    assert proven(dr, folder) == []


def test_all_snapshots_are_one_state_each_time(primary: Any) -> None:
    engine = primary.endpoint.engine()
    sessions = [primary.endpoint.connect() for _ in range(4)]
    positions = set()
    with transfers(primary):
        for _ in range(30):
            shared = engine.share_snapshot(sessions)
            positions.add(shared.position)
            seen = set()
            for session in shared.sessions:
                with session.cursor() as cursor:
                    cursor.execute("SELECT SUM(amount * (id + 1)), SUM(amount) FROM one")
                    seen.add(cursor.fetchone())
            assert len(seen) == 1
    assert len(positions) > 1
    for session in sessions:
        session.close()


def test_a_server_that_cannot_be_held_still_is_left_alone(primary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "_has_gtids", lambda session: False)
    primary.run("CREATE TABLE slow (a INT PRIMARY KEY)", "INSERT INTO slow VALUES (1)")
    sessions = [primary.endpoint.connect() for _ in range(2)]
    with primary.server.connect(primary.endpoint.schema) as blocker, blocker.cursor() as cursor:
        cursor.execute("LOCK TABLES slow WRITE")
        with sessions[0].cursor() as impatient:
            impatient.execute("SET SESSION lock_wait_timeout = 1")
        with pytest.raises(TransientError, match="no two snapshots were the same"):
            primary.endpoint.engine().share_snapshot(sessions)
        cursor.execute("UNLOCK TABLES")
        cursor.execute("INSERT INTO slow VALUES (2)")
    for session in sessions:
        session.close()


REDEFINITIONS: dict[str, tuple[str, ...]] = {
    "there and back at once": ("ALTER TABLE one ADD COLUMN extra INT", "ALTER TABLE one DROP COLUMN extra"),
    "index": ("CREATE INDEX i ON one (amount)",),
    "truncate": ("TRUNCATE TABLE one",),
    "make anew": ("DROP TABLE one", "CREATE TABLE one (id INT PRIMARY KEY, amount BIGINT NOT NULL)"),
    "view": ("CREATE VIEW v AS SELECT 1 AS a",),
    "routine": ("CREATE PROCEDURE p() SELECT 1",),
    "trigger": ("CREATE TRIGGER t BEFORE INSERT ON one FOR EACH ROW SET NEW.amount = 1",),
    "event": ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SET @x = 1",),
}


@pytest.mark.parametrize("kind", REDEFINITIONS)
def test_a_redefinition_during_the_dump_makes_it_start_over(
    kind: str, primary: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary.run("CREATE TABLE one (id INT PRIMARY KEY, amount BIGINT NOT NULL)")
    waiting = [REDEFINITIONS[kind]]
    genuine = dump_module._take

    def take_and_redefine(*arguments: Any) -> Any:
        taken = genuine(*arguments)
        if waiting:
            primary.run(*waiting.pop())
        return taken

    monkeypatch.setattr(dump_module, "_take", take_and_redefine)
    assert dump(primary.endpoint, folder).attempts == 2


@pytest.mark.parametrize(
    "right", ["PROCESS", "REPLICATION CLIENT", "RELOAD", "SHOW_ROUTINE", "SET_ANY_DEFINER", "SYSTEM_USER"]
)
def test_each_right_that_is_missing_is_named(right: str, primary: Any, folder: Path) -> None:
    account = f"'{primary.endpoint.user}'@'127.0.0.1'"
    primary.run(f"REVOKE {right} ON *.* FROM {account}")
    with pytest.raises(ConfigurationError, match="the account lacks rights") as caught:
        dump(primary.endpoint, folder)
    assert caught.value.fix == f"Run: GRANT {right} ON *.* TO {account}"
    primary.run(caught.value.fix.removeprefix("Run: "))
    primary.endpoint.ensure_rights()


def test_a_program_of_mariadb_is_not_taken_for_mysqls(
    primary: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    primary.run("CREATE TABLE one (id INT PRIMARY KEY)")
    with pytest.raises(ConfigurationError, match="the program mysqldump is not installed"):
        dump(primary.endpoint, folder)
    assert list(folder.iterdir()) == []


def test_what_the_dump_client_loses_is_found(primary: Any, dr: Any, folder: Path) -> None:
    """The client writes the DOUBLE -0 as an integer, which has no sign."""
    primary.run("CREATE TABLE t (a INT PRIMARY KEY, b DOUBLE)", "INSERT INTO t VALUES (1, -0e0), (2, 0e0)")
    dump(primary.endpoint, folder)
    (difference,) = proven(dr, folder)
    assert (difference.object, difference.what) == ("table `t`", "checksum of its 2 row(s)")


def test_a_dump_client_that_ends_our_transaction_is_found(primary: Any) -> None:
    engine = primary.endpoint.engine()
    with primary.endpoint.connect() as session, primary.endpoint.connect() as other:
        position = engine.share_snapshot([session, other]).position
        session.commit()
        assert engine.position_dumped(session, b"", position) == ""
        assert engine.position_dumped(other, b"", position) == position
