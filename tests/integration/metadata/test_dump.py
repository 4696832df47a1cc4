"""Dump and inventory are one state, whoever writes or redefines meanwhile; what cannot be one state is refused."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

from incorta_provider.exceptions import ConfigurationError, PreconditionError, TransientError
from incorta_provider.metadata import attempts as attempts_module
from incorta_provider.metadata import dump as dump_module
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.load import load
from incorta_provider.metadata.prove import prove, read_inventory

pytestmark = pytest.mark.lab

Work = Callable[[Any], None]
"""Does something once through a cursor."""


@contextmanager
def busy(place: Any, *works: Work) -> Iterator[list[int]]:
    """Do each work over and over, each in a session of its own; yields how often each was done."""
    over = threading.Event()
    done = [0] * len(works)

    def loop(number: int, work: Work) -> None:
        with place.server.connect(place.endpoint.schema) as connection, connection.cursor() as cursor:
            while not over.is_set():
                try:
                    work(cursor)
                except pymysql.err.OperationalError:
                    continue
                done[number] += 1

    threads = [threading.Thread(target=loop, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        over.set()
        for thread in threads:
            thread.join()


def accounts(primary: Any) -> None:
    primary.run(
        "CREATE TABLE one (id INT PRIMARY KEY, amount BIGINT NOT NULL) ENGINE = InnoDB",
        "CREATE TABLE two LIKE one",
        "INSERT INTO one VALUES " + ", ".join(f"({n}, 1000)" for n in range(500)),
        "INSERT INTO two VALUES " + ", ".join(f"({n}, 1000)" for n in range(500)),
        "CREATE TABLE file (path VARCHAR(200) PRIMARY KEY, size BIGINT, sha256 CHAR(64)) ENGINE = InnoDB",
    )


def transfer(numbers: Iterator[int]) -> Work:
    """Move an amount from one table to the other, and name one more file in the same transaction."""

    def work(cursor: Any) -> None:
        number = next(numbers)
        cursor.execute("START TRANSACTION")
        cursor.execute("UPDATE one SET amount = amount - 1 WHERE id = %s", (number % 500,))
        cursor.execute("UPDATE two SET amount = amount + 1 WHERE id = %s", (number * 7 % 500,))
        cursor.execute("INSERT INTO file VALUES (%s, %s, NULL)", (f"f/{number}", number))
        cursor.execute("COMMIT")

    return work


def test_dump_counts_and_references_are_one_state_under_writers(primary: Any, dr: Any, folder: Path) -> None:
    accounts(primary)
    numbers = itertools.count(1)
    with busy(primary, transfer(numbers), transfer(numbers)) as done:
        while not all(done):
            time.sleep(0.01)
        before = sum(done)
        report = dump(primary.endpoint, folder, ["SELECT path, size FROM file"])
        during = sum(done) - before
    assert during > 0, "the writers did write"
    assert report.attempts == 1
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="busy") == []
    moved = read_inventory(folder / "inventory.json").tables["file"].rows
    assert moved == report.references == len((folder / "references.jsonl").read_text().splitlines())


def test_the_restored_state_is_one_that_a_transaction_left(primary: Any, dr: Any, tmp_path: Path) -> None:
    accounts(primary)
    numbers = itertools.count(1)
    with busy(primary, transfer(numbers), transfer(numbers)):
        for attempt in range(3):
            folder = tmp_path / str(attempt)
            folder.mkdir()
            dump(primary.endpoint, folder)
            (total, files) = sums_in(folder, dr)
            assert total == 1_000_000, "money moved between the tables: the sum never changes"
            assert files > 0


def sums_in(folder: Path, dr: Any) -> tuple[int, int]:
    """Load a dump with the plain client, as a person would, and add up."""
    dr.run("DROP TABLE IF EXISTS one, two, file")
    load(dr.endpoint, dr.endpoint.schema, folder / "metadata.sql.zst", read_inventory(folder / "inventory.json"))
    ((one,),) = dr.run("SELECT SUM(amount) FROM one")
    ((two, files),) = dr.run("SELECT SUM(amount), (SELECT COUNT(*) FROM file) FROM two")
    return int(one + two), int(files)


def test_the_position_is_in_the_dump_and_in_the_inventory(dumped: Any) -> None:
    file, _, offset = dumped.inventory.position.partition(":")
    assert f"-- CHANGE MASTER TO MASTER_LOG_FILE='{file}', MASTER_LOG_POS={offset};" in dumped.text()


REDEFINITIONS: dict[str, tuple[str, ...]] = {
    "add a column": ("ALTER TABLE one ADD COLUMN extra INT DEFAULT 7",),
    "change a column": ("ALTER TABLE one MODIFY amount DECIMAL(20) NOT NULL",),
    "there and back": ("ALTER TABLE one ADD COLUMN extra INT, FORCE", "ALTER TABLE one DROP COLUMN extra, FORCE"),
    "index": ("CREATE INDEX i ON one (amount)",),
    "default": ("ALTER TABLE one ALTER amount SET DEFAULT 5",),
    "truncate": ("TRUNCATE TABLE two",),
    "drop": ("DROP TABLE two",),
    "create": ("CREATE TABLE three LIKE one",),
    "make anew": ("DROP TABLE two", "CREATE TABLE two LIKE one"),
    "swap": ("RENAME TABLE one TO other, two TO one, other TO two",),
    "view": ("CREATE VIEW v AS SELECT 1 AS a",),
    "view's text": ("CREATE OR REPLACE VIEW seen AS SELECT amount FROM one",),
    "routine": ("CREATE PROCEDURE p() SELECT 1",),
    "trigger": ("CREATE TRIGGER t BEFORE INSERT ON two FOR EACH ROW SET NEW.amount = 1",),
    "trigger, as it was": ("CREATE OR REPLACE TRIGGER kept BEFORE INSERT ON one FOR EACH ROW SET NEW.amount = 1",),
    "event": ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SET @x = 1",),
    "event off": ("ALTER EVENT nightly DISABLE",),
    "schema": ("ALTER DATABASE CHARACTER SET latin1",),
}


@pytest.mark.parametrize("kind", REDEFINITIONS)
def test_a_redefinition_during_the_dump_makes_it_start_over(
    kind: str, primary: Any, dr: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts(primary)
    primary.run(
        "CREATE VIEW seen AS SELECT id FROM one",
        "CREATE TRIGGER kept BEFORE INSERT ON one FOR EACH ROW SET NEW.amount = 1",
        "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO SET @x = 1",
    )
    waiting = [REDEFINITIONS[kind]]
    genuine = dump_module._take

    def take_and_redefine(*arguments: Any) -> Any:
        taken = genuine(*arguments)
        if waiting:
            primary.run(*waiting.pop())
        return taken

    monkeypatch.setattr(dump_module, "_take", take_and_redefine)
    assert dump(primary.endpoint, folder).attempts == 2
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="again") == []


def test_a_schema_that_is_redefined_in_every_attempt_is_not_published(
    primary: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts(primary)
    genuine = dump_module._take

    def take_and_redefine(*arguments: Any) -> Any:
        taken = genuine(*arguments)
        primary.run("TRUNCATE TABLE two")
        return taken

    monkeypatch.setattr(dump_module, "_take", take_and_redefine)
    monkeypatch.setattr(attempts_module, "ATTEMPTS", 3)
    with pytest.raises(TransientError, match=r"no dump could be proven in 3 attempts; .* definition changed"):
        dump(primary.endpoint, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE one ADD COLUMN extra INT DEFAULT 7", "ALTER TABLE one DROP COLUMN extra"),
        ("ALTER TABLE one ADD COLUMN extra INT DEFAULT 7, FORCE", "ALTER TABLE one DROP COLUMN extra, FORCE"),
        ("TRUNCATE TABLE two", "INSERT INTO two VALUES (1, 1)"),
        ("DROP TABLE two", "CREATE TABLE two LIKE one"),
        ("CREATE VIEW v AS SELECT 1 AS a", "DROP VIEW v"),
        ("CREATE PROCEDURE p() SELECT 1", "DROP PROCEDURE p"),
    ],
)
def test_a_loop_of_redefinitions_never_gives_a_dump_that_passes_for_what_it_is_not(
    statements: tuple[str, ...], primary: Any, dr: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may hold the loop up during the dump, which then is good. Otherwise it is refused, or disproven."""
    monkeypatch.setattr(attempts_module, "ATTEMPTS", 2)
    accounts(primary)

    def work(cursor: Any) -> None:
        for statement in statements:
            cursor.execute(statement)

    with busy(primary, work) as done:
        while not done[0]:
            pass
        started = time.monotonic()
        try:
            dump(primary.endpoint, folder)
        except TransientError:
            assert list(folder.iterdir()) == []
            return
        finally:
            assert time.monotonic() - started < 45, "nobody waits long for a lock"
    proof = prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="aba")
    assert {difference.object for difference in proof} <= {"table `one`", "view `v`", "procedure `p`"}


def test_a_dump_during_migrations_succeeds_as_soon_as_they_pause(primary: Any, dr: Any, folder: Path) -> None:
    accounts(primary)
    migrations = iter(["ALTER TABLE one ADD COLUMN extra INT", "TRUNCATE TABLE two", "CREATE TABLE more (a INT)"] * 2)
    primary.run("CREATE TABLE migrated (n INT)")

    def work(cursor: Any) -> None:
        statement = next(migrations, None)
        if statement:
            cursor.execute(statement.replace("ADD COLUMN", "ADD COLUMN IF NOT EXISTS").replace("more", "more_" + "x"))

    with busy(primary, work):
        report = dump(primary.endpoint, folder)
    assert report.attempts >= 1
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="ddl") == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE TABLE `old one` (a INT) ENGINE = MyISAM", "`old one` (MyISAM, base table)"),
        ("CREATE TABLE aria (a INT) ENGINE = Aria", "`aria` (Aria, base table)"),
        ("CREATE TABLE m (a INT) ENGINE = MEMORY", "`m` (MEMORY, base table)"),
        ("CREATE SEQUENCE s", "`s` (InnoDB, sequence)"),
        ("CREATE TABLE h (a INT) WITH SYSTEM VERSIONING", "`h` (InnoDB, system versioned)"),
    ],
)
def test_what_no_snapshot_covers_is_refused_by_name(statement: str, named: str, nasty: Any, folder: Path) -> None:
    nasty.run(statement)
    with pytest.raises(PreconditionError) as caught:
        dump(nasty.endpoint, folder)
    assert named in caught.value.what
    assert list(folder.iterdir()) == []


def test_a_view_that_names_what_is_gone_is_named(nasty: Any, folder: Path) -> None:
    nasty.run("CREATE TABLE soon_gone (a INT)", "CREATE VIEW broken AS SELECT a FROM soon_gone", "DROP TABLE soon_gone")
    with pytest.raises(ConfigurationError, match="broken"):
        dump(nasty.endpoint, folder)
    assert list(folder.iterdir()) == []


def test_references_are_sorted_by_their_bytes(primary: Any, folder: Path) -> None:
    accounts(primary)
    digest = "ab" * 32
    primary.run(
        f"INSERT INTO file VALUES ('b', 2, '{digest}'), ('a/x', 1, NULL), ('a-b', NULL, NULL), ('Ü 日', 3, NULL)"
    )
    report = dump(primary.endpoint, folder, ["SELECT sha256 AS SHA256, size, path FROM file", "SELECT 'z' AS path"])
    lines = [json.loads(line) for line in (folder / "references.jsonl").read_text().splitlines()]
    assert report.references == 5
    assert lines == [
        {"path": "a-b", "size": None, "sha256": None},
        {"path": "a/x", "size": 1, "sha256": None},
        {"path": "b", "size": 2, "sha256": digest},
        {"path": "z", "size": None, "sha256": None},
        {"path": "Ü 日", "size": 3, "sha256": None},
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nothing FROM nowhere", "nowhere"),
        ("SELECT 'a' AS name", "a row has no path"),
        ("SELECT NULL AS path", "a row has no path"),
        ("SELECT '/etc/passwd' AS path", "not relative"),
        ("SELECT 'a/../../b' AS path", "not relative"),
        ("SELECT 'a' AS path, 'abc' AS sha256", "64 hex digits"),
        ("UPDATE file SET size = 0", "READ ONLY"),
        ("SELECT 1; UPDATE file SET size = 0", "syntax"),
    ],
)
def test_a_wrong_reference_query_is_named_and_changes_nothing(
    query: str, said: str, primary: Any, folder: Path
) -> None:
    accounts(primary)
    primary.run("INSERT INTO file VALUES ('a', 1, NULL)")
    with pytest.raises(ConfigurationError, match=said) as caught:
        dump(primary.endpoint, folder, [query])
    assert caught.value.where == query
    assert primary.run("SELECT COUNT(*) FROM file") == ((1,),)
    assert list(folder.iterdir()) == []


def test_a_new_dump_takes_the_place_of_an_old_one(dumped: Any, nasty: Any) -> None:
    old = dumped.inventory.position
    nasty.run("INSERT INTO no_key VALUES (9, 'new')")
    report = dump(nasty.endpoint, dumped.folder)
    assert dumped.inventory.position == report.position != old
    assert report.sha256 == dumped.sha256


def test_a_failed_dump_leaves_no_old_one_that_looks_new(dumped: Any, nasty: Any) -> None:
    nasty.run("CREATE TABLE m (a INT) ENGINE = MyISAM")
    with pytest.raises(PreconditionError):
        dump(nasty.endpoint, dumped.folder)
    assert list(dumped.folder.iterdir()) == []


def test_an_empty_schema_can_be_dumped(primary: Any, dr: Any, folder: Path) -> None:
    report = dump(primary.endpoint, folder)
    assert (report.tables, report.rows, report.references) == (0, 0, 0)
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="empty") == []
