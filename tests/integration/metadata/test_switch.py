"""Switching schemas: what was live is kept whole, comes back whole, and is never half gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import Difference, Inventory
from incorta_provider.dr.schema_switch import Stage, Switch
from incorta_provider.exceptions import ConfigurationError, PreconditionError, TransientError
from incorta_provider.metadata import restore as restore_module
from incorta_provider.metadata.comparison import differences, take_inventory
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.restore import commit_schema, replace_schema, return_schema
from incorta_provider.metadata.switch import ensure_alone
from incorta_provider.metadata.switch_journal import read_switch

pytestmark = pytest.mark.lab


def build_old(place: Any) -> None:
    """Make the schema that a restore replaces: other tables, some of the same names, and one of each object."""
    place.run(
        "CREATE TABLE parent (id INT PRIMARY KEY, old VARCHAR(20)) ENGINE = InnoDB",
        "INSERT INTO parent VALUES (1, 'before'), (2, 'before')",
        "CREATE TABLE only_here (id INT PRIMARY KEY, parent_id INT, "
        "CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE) ENGINE = InnoDB",
        "INSERT INTO only_here VALUES (1, 2)",
        "CREATE FUNCTION louder(t VARCHAR(20)) RETURNS VARCHAR(30) DETERMINISTIC RETURN CONCAT(t, '!')",
        "CREATE PROCEDURE `do it`() SELECT 'old'",
        "CREATE VIEW z_base AS SELECT id, louder(old) AS loud FROM parent",
        "CREATE VIEW a_second AS SELECT loud FROM z_base",
        "CREATE TRIGGER logged BEFORE INSERT ON parent FOR EACH ROW SET NEW.old = 'by trigger'",
        "CREATE EVENT every_second ON SCHEDULE EVERY 1 DAY ENABLE DO SET @x = 1",
        "CREATE EVENT asleep ON SCHEDULE EVERY 1 DAY DISABLE DO SET @x = 2",
        "CREATE EVENT elsewhere ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE DO SET @x = 3",
        f"ALTER DATABASE `{place.endpoint.schema}` COLLATE utf8mb4_swedish_ci",
    )


@pytest.fixture
def old(dr: Any) -> Inventory:
    """Build it and return what it is."""
    build_old(dr)
    return take_inventory(dr.endpoint)


def replace(dumped: Any, dr: Any, folder: Path) -> list[Difference]:
    return replace_schema(dr.endpoint, dumped.dump, dumped.inventory, folder, sha256=dumped.sha256)


def stage(folder: Path) -> Stage:
    return recorded(folder).stage


def recorded(folder: Path) -> Switch:
    switch = read_switch(folder)
    assert switch is not None
    return switch


def test_what_was_live_is_kept_and_comes_back_whole(dumped: Any, dr: Any, old: Inventory, tmp_path: Path) -> None:
    assert replace(dumped, dr, tmp_path) == []
    assert differences(dr.endpoint, dumped.inventory) == []
    switch = recorded(tmp_path)
    assert switch.stage is Stage.SWITCHED
    assert switch.window_seconds is not None
    assert dr.beside() == [switch.previous]
    assert dr.run(f"SELECT * FROM `{switch.previous}`.only_here") == ((1, 2),)

    return_schema(dr.endpoint, tmp_path)
    assert differences(dr.endpoint, old, events="as_recorded") == []
    assert (stage(tmp_path), dr.beside()) == (Stage.RETURNED, [])
    assert dr.run("SELECT loud FROM a_second") == (("before!",), ("before!",))
    assert dr.run("DELETE FROM parent WHERE id = 2", "SELECT * FROM only_here") == (), "its foreign key works"
    assert dr.run("INSERT INTO parent (id) VALUES (7)", "SELECT old FROM parent WHERE id = 7") == (("by trigger",),)


def test_a_table_takes_the_place_of_a_view_and_the_other_way_round(dumped: Any, dr: Any, tmp_path: Path) -> None:
    dr.run(
        "CREATE TABLE b_first (a INT PRIMARY KEY)",
        "INSERT INTO b_first VALUES (1)",
        "CREATE VIEW child AS SELECT a FROM b_first",
        "CREATE VIEW a_second AS SELECT a FROM child",
    )
    before = take_inventory(dr.endpoint)
    assert replace(dumped, dr, tmp_path) == []
    assert differences(dr.endpoint, dumped.inventory) == []
    return_schema(dr.endpoint, tmp_path)
    assert differences(dr.endpoint, before, events="as_recorded") == []


def test_a_view_that_stays_as_it_is_reads_the_new_tables(dumped: Any, dr: Any, tmp_path: Path) -> None:
    assert replace(dumped, dr, tmp_path / "1") == []
    made = (
        "SELECT CREATED FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_NAME = 'shout'"
    )
    dr.run("UPDATE parent SET b = 'changed' WHERE id = 1")
    first = dr.run(made)
    assert replace(dumped, dr, tmp_path / "2") == []
    assert dr.run("SELECT loud FROM b_first WHERE id = 1") == (("ONE!",),)
    assert dr.run(made) == first, "it was not made anew"
    assert differences(dr.endpoint, dumped.inventory) == []


def test_a_return_can_be_repeated_and_ends_the_restore(dumped: Any, dr: Any, old: Inventory, tmp_path: Path) -> None:
    assert replace(dumped, dr, tmp_path) == []
    for _ in range(2):
        return_schema(dr.endpoint, tmp_path)
    assert differences(dr.endpoint, old, events="as_recorded") == []
    with pytest.raises(PreconditionError, match="the restore is returned"):
        replace(dumped, dr, tmp_path)
    with pytest.raises(PreconditionError, match="the restore is at stage returned"):
        commit_schema(dr.endpoint, tmp_path)


def test_a_commit_gives_up_what_was_live_before(dumped: Any, dr: Any, old: Inventory, tmp_path: Path) -> None:
    assert replace(dumped, dr, tmp_path) == []
    for _ in range(2):
        commit_schema(dr.endpoint, tmp_path)
    assert (stage(tmp_path), dr.beside()) == (Stage.COMMITTED, [])
    with pytest.raises(PreconditionError, match="the schema before is gone"):
        return_schema(dr.endpoint, tmp_path)
    with pytest.raises(PreconditionError, match="the restore is committed"):
        replace(dumped, dr, tmp_path)
    assert differences(dr.endpoint, dumped.inventory) == []


def test_where_nothing_was_restored_nothing_is_taken_back_or_given_up(dr: Any, tmp_path: Path) -> None:
    for verb in (return_schema, commit_schema):
        with pytest.raises(PreconditionError, match="the restore has no record in"):
            verb(dr.endpoint, tmp_path)


def test_a_restore_that_is_repeated_keeps_what_was_live_first(
    dumped: Any, dr: Any, old: Inventory, tmp_path: Path
) -> None:
    for _ in range(2):
        assert replace(dumped, dr, tmp_path) == []
    dr.run("DELETE FROM no_key", "CREATE TABLE more (a INT)", "CREATE VIEW and_more AS SELECT 1")
    assert replace(dumped, dr, tmp_path) == []
    assert differences(dr.endpoint, dumped.inventory) == []
    return_schema(dr.endpoint, tmp_path)
    assert differences(dr.endpoint, old, events="as_recorded") == []
    assert dr.beside() == []


def test_what_is_not_equal_beside_never_becomes_live(dumped: Any, dr: Any, old: Inventory, tmp_path: Path) -> None:
    tables = {**dumped.inventory.tables}
    tables["parent"] = tables["parent"].model_copy(update={"rows": 4})
    expected = dumped.inventory.model_copy(update={"tables": tables})
    found = replace_schema(dr.endpoint, dumped.dump, expected, tmp_path, sha256=dumped.sha256)
    assert [str(difference) for difference in found] == ["table `parent`: rows: expected 4, found 3"]
    assert differences(dr.endpoint, old, events="as_recorded") == []
    assert (stage(tmp_path), dr.beside()) == (Stage.LOADING, [])


def test_what_fails_in_the_window_puts_the_schema_before_in_its_place(
    dumped: Any, dr: Any, old: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(restore_module, "_definition_differences", refuse)
        with pytest.raises(ConfigurationError, match="the disk is full"):
            replace(dumped, dr, tmp_path)
    assert differences(dr.endpoint, old, events="as_recorded") == []
    assert stage(tmp_path) is Stage.COMPARED
    assert replace(dumped, dr, tmp_path) == []
    assert differences(dr.endpoint, dumped.inventory) == []


def refuse(*_: object) -> None:
    raise ConfigurationError("the disk is full")


def test_a_difference_that_shows_behind_the_window_puts_it_back_too(
    dumped: Any, dr: Any, old: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = [Difference("view `v`", "definition", "a", "b")]
    with monkeypatch.context() as patch:
        patch.setattr(restore_module, "_definition_differences", lambda *_: one)
        assert replace(dumped, dr, tmp_path) == one
    assert differences(dr.endpoint, old, events="as_recorded") == []
    assert replace(dumped, dr, tmp_path) == []


def test_a_session_that_holds_a_table_leaves_the_schema_before_whole(
    dumped: Any, dr: Any, old: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = "SET SESSION time_zone = '+00:00', sql_mode = '', lock_wait_timeout = 1"
    monkeypatch.setattr("incorta_provider.metadata.endpoint._PINNED", pinned)
    with dr.server.connect(dr.endpoint.schema) as connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM only_here")
        with pytest.raises(TransientError, match="Lock wait timeout"):
            replace(dumped, dr, tmp_path)
        assert stage(tmp_path) is Stage.COMPARED
    assert differences(dr.endpoint, old, events="as_recorded") == []
    assert replace(dumped, dr, tmp_path) == []


def test_foreign_keys_of_other_schemas_are_named(dumped: Any, dr: Any, tmp_path: Path) -> None:
    build_old(dr)
    other = f"other-{dr.endpoint.schema}"
    reference = f"FOREIGN KEY (p) REFERENCES `{dr.endpoint.schema}`.parent (id)"
    try:
        dr.run(f"CREATE DATABASE `{other}`", f"CREATE TABLE `{other}`.follower (p INT, {reference})")
        with pytest.raises(PreconditionError, match=r"foreign keys of other schemas refer to .*follower"):
            replace(dumped, dr, tmp_path)
        with pytest.raises(PreconditionError, match=r"foreign keys of other schemas refer to .*follower"):
            ensure_alone(dr.endpoint)  # asked before anything is fenced
    finally:
        dr.run(f"DROP DATABASE `{other}`")
    ensure_alone(dr.endpoint)
    assert replace(dumped, dr, tmp_path) == []


def test_tables_of_every_engine_sequences_and_tables_with_history_are_kept(
    dumped: Any, dr: Any, tmp_path: Path
) -> None:
    dr.run(
        "CREATE TABLE old_engine (a INT) ENGINE = MyISAM",
        "INSERT INTO old_engine VALUES (7)",
        "CREATE SEQUENCE counter START WITH 5",
        "CREATE TABLE aged (a INT) WITH SYSTEM VERSIONING",
        "INSERT INTO aged VALUES (8)",
    )
    assert replace(dumped, dr, tmp_path) == []
    return_schema(dr.endpoint, tmp_path)
    assert dr.run("SELECT old_engine.a, aged.a FROM old_engine, aged") == ((7, 8),)
    assert dr.run("SELECT NEXTVAL(counter)") == ((5,),)


def test_an_invalid_view_in_the_schema_before_holds_up_nothing_and_is_left_out(
    dumped: Any, dr: Any, tmp_path: Path
) -> None:
    dr.run(
        "CREATE TABLE gone (a INT)",
        "CREATE VIEW broken AS SELECT a FROM gone",
        "CREATE VIEW of_broken AS SELECT a FROM broken",
        "CREATE VIEW sound AS SELECT 1 AS one",
        "CREATE DEFINER = 'nobody'@'nowhere' VIEW of_nobody AS SELECT 2 AS two",
        "DROP TABLE gone",
    )
    assert replace(dumped, dr, tmp_path) == []
    return_schema(dr.endpoint, tmp_path)
    assert dr.run("SHOW TABLES") == (("of_nobody",), ("sound",))
    assert set(recorded(tmp_path).before.views) >= {"broken", "of_broken"}  # type: ignore[union-attr]


def test_a_view_of_a_session_that_is_not_of_utf8_comes_back(dumped: Any, dr: Any, tmp_path: Path) -> None:
    with dr.server.connect(dr.endpoint.schema) as connection:
        connection.query("SET NAMES latin1")
        connection.query("CREATE VIEW latin AS SELECT 'Größe' AS `Maß`".encode("latin-1"))
    query = "SELECT HEX(`Maß`), CHARSET(`Maß`) FROM latin"
    before, old = dr.run(query), take_inventory(dr.endpoint)
    assert replace(dumped, dr, tmp_path) == []
    return_schema(dr.endpoint, tmp_path)
    assert dr.run(query) == before
    assert differences(dr.endpoint, old) == []


def test_a_folder_is_of_one_restore(dumped: Any, dr: Any, nasty: Any, tmp_path: Path) -> None:
    assert replace(dumped, dr, tmp_path) == []
    nasty.run("INSERT INTO empty_one VALUES (1)")
    other = dumped.folder / "other"
    other.mkdir()
    report = dump(nasty.endpoint, other).sha256
    with pytest.raises(PreconditionError, match="of another dump"):
        replace_schema(dr.endpoint, other / "metadata.sql.zst", dumped.inventory, tmp_path, sha256=report)
    assert differences(dr.endpoint, dumped.inventory) == []


def test_a_server_without_its_rights_says_which(dumped: Any, dr: Any, tmp_path: Path) -> None:
    dr.run("REVOKE TRIGGER ON `\\_dr\\_beside\\_%`.* FROM 'dr_reader'@'127.0.0.1'")
    with pytest.raises(ConfigurationError, match=r"GRANT TRIGGER ON `\\_dr\\_beside\\_%`\.\*"):
        replace(dumped, dr, tmp_path)
