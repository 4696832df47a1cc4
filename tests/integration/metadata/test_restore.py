"""Replacing a schema: what was there is kept, what comes is compared, and a bad dump changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.schema_switch import Stage
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError, TransientError
from incorta_provider.metadata.comparison import differences, take_inventory
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.prove import prove
from incorta_provider.metadata.restore import replace_schema, return_schema
from incorta_provider.metadata.schema import holding
from incorta_provider.metadata.switch_journal import read_switch

pytestmark = pytest.mark.lab


def test_an_absent_schema_is_made(dumped: Any, dr: Any, tmp_path: Path) -> None:
    with dr.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE `{dr.endpoint.schema}`")
    folder = tmp_path / "cutovers" / "run" / "backup"
    assert replace_schema(dr.endpoint, dumped.dump, dumped.inventory, folder, sha256=dumped.sha256) == []
    assert differences(dr.endpoint, dumped.inventory) == []
    switch = read_switch(folder)
    assert switch is not None
    assert (switch.stage, switch.before) == (Stage.SWITCHED, None)
    return_schema(dr.endpoint, folder)
    assert dr.endpoint.schema not in dr.schemas()


def damage(path: Path, kind: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    damaged = {
        "cut": data[:-1],
        "cut in half": data[:middle],
        "empty": b"",
        "one bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "appended": data + b"x",
        "twice": data + data,
        "no dump": b"DROP DATABASE mysql;\n",
    }
    path.write_bytes(damaged[kind])


KINDS = ("cut", "cut in half", "empty", "one bit", "appended", "twice", "no dump")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_dump_changes_nothing(kind: str, dumped: Any, dr: Any, tmp_path: Path) -> None:
    dr.run("CREATE TABLE precious (a INT)")
    sha256 = dumped.sha256
    damage(dumped.dump, kind)
    with pytest.raises(IntegrityError, match="the dump is damaged"):
        replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path / "backup", sha256=sha256)
    assert dr.run("SHOW TABLES") == (("precious",),)
    assert not (tmp_path / "backup").exists()
    assert dr.beside() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_dump_is_not_proven(kind: str, dumped: Any, dr: Any, scratch_left: Callable[[], set[str]]) -> None:
    damage(dumped.dump, kind)
    with pytest.raises(IntegrityError, match="the dump is damaged"):
        prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="damaged")
    assert scratch_left() == set()


def test_an_absent_dump_is_named(dumped: Any, dr: Any, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="No such file"):
        replace_schema(dr.endpoint, tmp_path / "none", dumped.inventory, tmp_path, sha256="00" * 32)


def test_a_damaged_inventory_proves_nothing(dumped: Any, dr: Any) -> None:
    dumped.inventory_file.write_text(dumped.inventory_file.read_text().replace('"tables"', '"tabels"', 1))
    with pytest.raises(IntegrityError, match="the inventory cannot be read"):
        prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="inventory")


def test_two_runs_do_not_replace_the_same_schema(
    dumped: Any, dr: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incorta_provider.metadata.schema.LOCK_SECONDS", 1)
    with (
        holding(dr.endpoint, dr.endpoint.schema),
        pytest.raises(TransientError, match="another run works on schema"),
    ):
        replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path, sha256=dumped.sha256)


def test_a_read_only_server_is_refused_and_said_so(dumped: Any, dr: Any, tmp_path: Path) -> None:
    with dr.server.connect() as connection, connection.cursor() as cursor:
        try:
            cursor.execute("SET GLOBAL read_only = 1")
            with pytest.raises(PreconditionError, match="read-only"):
                replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path, sha256=dumped.sha256)
        finally:
            cursor.execute("SET GLOBAL read_only = 0")


def test_a_session_that_holds_a_table_makes_the_restore_try_later(
    dumped: Any, dr: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = "SET SESSION time_zone = '+00:00', sql_mode = '', lock_wait_timeout = 1"
    monkeypatch.setattr("incorta_provider.metadata.endpoint._PINNED", pinned)
    dr.run("CREATE TABLE busy (a INT) ENGINE = InnoDB")
    with dr.server.connect(dr.endpoint.schema) as connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM busy")
        with pytest.raises(TransientError, match="Lock wait timeout"):
            replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path, sha256=dumped.sha256)
    assert replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path, sha256=dumped.sha256) == []


def test_a_missing_definer_is_named(nasty: Any, dumped: Any, dr: Any, tmp_path: Path) -> None:
    nasty.run("CREATE OR REPLACE DEFINER = 'gone away'@'10.%' VIEW b_first AS SELECT id, 'x' AS loud FROM parent")
    nasty.run(
        "DROP TRIGGER logged",
        "CREATE DEFINER = 'nobody'@'%' TRIGGER logged AFTER INSERT ON child FOR EACH ROW SET @x = 1",
    )
    report = dump(nasty.endpoint, dumped.folder)
    found = replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path, sha256=report.sha256)
    assert sorted(map(str, found)) == [
        "trigger `logged`: definer: expected an account 'nobody'@'%' at this server, found none",
        "view `b_first`: definer: expected an account 'gone away'@'10.%' at this server, found none",
    ]


def test_a_statement_that_the_server_refuses_is_told_without_its_data(dumped: Any, dr: Any) -> None:
    dr.run("REVOKE INSERT ON `\\_dr\\_proof\\_%`.* FROM 'dr_reader'@'127.0.0.1'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(dr.endpoint), "ensure_rights", lambda endpoint: None)
        with pytest.raises(ConfigurationError, match="INSERT command denied") as caught:
            prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="refused")
    assert "VALUES" not in str(caught.value)


TAMPERING: dict[str, tuple[str, str]] = {
    "an index is gone": (
        "ALTER TABLE parent DROP INDEX k_ac",
        "table `parent`: index `k_ac`: expected KEY `k_ac` (`a`,`c`), found nothing",
    ),
    "an index more": (
        "CREATE INDEX extra ON parent (c)",
        "table `parent`: index `extra`: expected nothing, found KEY `extra` (`c`)",
    ),
    "a column is wider": (
        "ALTER TABLE no_key MODIFY b VARCHAR(21)",
        "table `no_key`: column `b`: expected `b` varchar(20) DEFAULT NULL, found `b` varchar(21) DEFAULT NULL",
    ),
    "columns in another order": (
        "ALTER TABLE no_key MODIFY a INT AFTER b",
        "table `no_key`: order of columns: expected a, b, found b, a",
    ),
    "a check is gone": (
        "ALTER TABLE parent DROP CONSTRAINT positive",
        "table `parent`: constraint `positive`: expected CONSTRAINT `positive` CHECK (`a` >= 0), found nothing",
    ),
    "a foreign key is gone": (
        "ALTER TABLE child DROP FOREIGN KEY of_parent",
        "table `child`: constraint `of_parent`: expected CONSTRAINT `of_parent`",
    ),
    "another engine option": ("ALTER TABLE no_key ROW_FORMAT = COMPRESSED", "table `no_key`: options: expected"),
    "a row more": ("INSERT INTO empty_one VALUES (1)", "table `empty_one`: rows: expected 0, found 1"),
    "a duplicate less": ("DELETE FROM no_key WHERE b = 'same' LIMIT 1", "table `no_key`: rows: expected 6, found 5"),
    "another duplicate": ("UPDATE no_key SET b = '' WHERE a = 2", "table `no_key`: checksum of its 6 row(s): expected"),
    "NULL for empty": ("UPDATE no_key SET b = NULL WHERE b = ''", "table `no_key`: checksum of its 6 row(s)"),
    "a blank at the end": ("UPDATE parent SET d = 'x ' WHERE id = 2", "table `parent`: checksum of its 3 row(s)"),
    "another case": ("UPDATE parent SET b = 'ONE' WHERE id = 1", "table `parent`: checksum of its 3 row(s)"),
    "values change places": (
        "UPDATE parent SET d = CASE id WHEN 2 THEN '' ELSE 'x' END WHERE id > 1",
        "table `parent`: checksum of its 3 row(s)",
    ),
    "one microsecond": (
        "UPDATE kinds SET stamped = stamped, moment = moment + INTERVAL 1 MICROSECOND WHERE label = 'all'",
        "table `kinds`: checksum of its 17 row(s)",
    ),
    "the last bit of a double": (
        "UPDATE kinds SET stamped = stamped, ratio = 0.3 WHERE label = 'all'",
        "table `kinds`: checksum of its 17 row(s)",
    ),
    "the sixth digit of a float": (
        "UPDATE kinds SET stamped = stamped, small = 0.5000001 WHERE label = 'all'",
        "table `kinds`: checksum of its 17 row(s)",
    ),
    "one bit": (
        "UPDATE kinds SET stamped = stamped, flags = b'10000000000' WHERE label = 'all'",
        "table `kinds`: checksum of its 17 row(s)",
    ),
    "one byte of a blob": (
        "UPDATE kinds SET stamped = stamped, big = INSERT(big, 5, 1, 0xFF) WHERE label = 'all'",
        "table `kinds`: checksum of its 17 row(s)",
    ),
    "a JSON blank": (
        "UPDATE kinds SET stamped = stamped, document = REPLACE(document, ':', ': ') WHERE label = 'all'",
        "table `kinds`: checksum of its 17 row(s)",
    ),
    "a view's text": (
        "CREATE OR REPLACE VIEW b_first AS SELECT id, shout(b) AS loud FROM parent WHERE a < 101",
        "view `b_first`: definition: expected",
    ),
    "a table for a view": (
        "DROP VIEW `odd view ``1`;CREATE TABLE `odd view ``1` (a INT)",
        "view `odd view ``1`: existence: expected it, found nothing",
    ),
    "a routine is gone": ("DROP PROCEDURE `do it`", "procedure `do it`: existence: expected it, found nothing"),
    "a trigger is gone": ("DROP TRIGGER logged", "trigger `logged`: existence: expected it, found nothing"),
    "triggers in another order": (
        "DROP TRIGGER first_one;CREATE TRIGGER first_one BEFORE INSERT ON parent FOR EACH ROW "
        "SET NEW.d = CONCAT(COALESCE(NEW.d, ''), 'ä1')",
        "trigger `first_one`: setting `action_order`: expected 1, found 2",
    ),
    "an event is on": (
        "ALTER EVENT every_second ENABLE",
        "event `every_second`: status: expected DISABLED, found ENABLED",
    ),
    "an event more": (
        "CREATE EVENT more ON SCHEDULE EVERY 1 DAY DO SET @x = 1",
        "event `more`: existence: expected nothing, found it",
    ),
    "another character set": (
        "ALTER DATABASE CHARACTER SET latin1",
        "schema: character_set: expected utf8mb4, found latin1",
    ),
}


def batches() -> Iterator[list[tuple[str, str, str]]]:
    """Yield the cases in groups which touch each object once, so that a group needs one restore."""
    waiting = [(case, *texts) for case, texts in TAMPERING.items()]
    while waiting:
        batch: dict[str, tuple[str, str, str]] = {}
        for case in waiting:
            batch.setdefault(case[2].partition(":")[0], case)
        waiting = [case for case in waiting if case not in batch.values()]
        yield list(batch.values())


def test_every_change_to_the_copy_is_found_and_named(dumped: Any, dr: Any, tmp_path: Path) -> None:
    for batch in batches():
        assert replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path, sha256=dumped.sha256) == []
        for _, statements, _ in batch:
            dr.run(*statements.split(";"))
        found = [str(difference) for difference in differences(dr.endpoint, dumped.inventory)]
        for case, _, said in batch:
            assert any(text.startswith(said) for text in found), (case, found)


def test_an_inventory_does_not_depend_on_the_order_of_rows(dumped: Any, nasty: Any, dr: Any, tmp_path: Path) -> None:
    replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path, sha256=dumped.sha256)
    dr.run("CREATE TABLE turned AS SELECT * FROM no_key ORDER BY a DESC, b DESC", "TRUNCATE TABLE no_key")
    dr.run("INSERT INTO no_key SELECT * FROM turned", "DROP TABLE turned")
    assert take_inventory(dr.endpoint).tables["no_key"] == dumped.inventory.tables["no_key"]
