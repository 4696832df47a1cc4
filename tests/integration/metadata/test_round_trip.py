"""What is restored is what was there: looked at by the product's own comparison, and by plain queries beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import compare
from incorta_provider.metadata.comparison import take_inventory
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.prove import prove
from incorta_provider.metadata.restore import enable_events, replace_schema

pytestmark = pytest.mark.lab

VALUES = (
    "HEX(label), HEX(text_value), HEX(latin), HEX(wide), HEX(fixed), HEX(raw), HEX(fixed_raw), MD5(big), flags + 0, "
    "HEX(document), amount, ratio, small + 0e0, choice + 0, many + 0, moment, day, expires, UNIX_TIMESTAMP(stamped), "
    "UNIX_TIMESTAMP(seen), never, lasted, born, hidden, HEX(from_document), doubled"
)


def restored(dumped: Any, dr: Any, tmp_path: Path) -> list[Any]:
    return replace_schema(dr.endpoint, dumped.dump, dumped.inventory, tmp_path / "backup", sha256=dumped.sha256)


def test_a_dump_proves_equal_and_leaves_nothing_behind(
    dumped: Any, dr: Any, scratch_left: Callable[[], set[str]]
) -> None:
    before = dr.schemas()
    assert prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="run-1") == []
    assert (scratch_left(), dr.schemas()) == (set(), before)
    assert dr.run("SHOW TABLES") == (), "the schema of the site itself is not touched"


def test_values_are_the_same_bytes_and_instants(dumped: Any, nasty: Any, dr: Any, tmp_path: Path) -> None:
    assert restored(dumped, dr, tmp_path) == []
    query = f"SELECT {VALUES} FROM kinds ORDER BY id"
    assert dr.run(query) == nasty.run(query)
    assert len(dr.run(query)) == 17


def test_each_object_is_of_its_kind(dumped: Any, nasty: Any, dr: Any, tmp_path: Path) -> None:
    restored(dumped, dr, tmp_path)
    for query in (
        "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1",
        "SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, NON_UNIQUE, INDEX_TYPE "
        "FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1, 2, 3",
        "SELECT CONSTRAINT_NAME, DELETE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS "
        "WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1",
        "SELECT ROUTINE_NAME, ROUTINE_TYPE, HEX(ROUTINE_DEFINITION) FROM information_schema.ROUTINES "
        "WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1",
        "SELECT TRIGGER_NAME, ACTION_ORDER, HEX(ACTION_STATEMENT), CHARACTER_SET_CLIENT "
        "FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1",
        "SELECT EVENT_NAME, TIME_ZONE, EXECUTE_AT, STARTS, HEX(EVENT_DEFINITION) FROM information_schema.EVENTS "
        "WHERE EVENT_SCHEMA = DATABASE() ORDER BY 1",
        "SELECT loud, louder FROM a_second",
    ):
        assert dr.run(query) == nasty.run(query), query
        assert dr.run(query), query


def test_triggers_and_routines_work_at_the_other_site(dumped: Any, dr: Any, tmp_path: Path) -> None:
    restored(dumped, dr, tmp_path)
    dr.run("INSERT INTO parent (id, d) VALUES (50, 'x')", "INSERT INTO child VALUES (50, 50, 'a path')")
    assert dr.run("SELECT d FROM parent WHERE id = 50") == (("xä12",),)
    assert dr.run("SELECT what FROM audit WHERE what = 'a path'") == (("a path",),)
    assert dr.run("CALL `do it`(4, @y)", "SELECT @y") == ((5,),)


def test_the_copy_can_be_copied_home(dumped: Any, primary: Any, dr: Any, tmp_path: Path) -> None:
    restored(dumped, dr, tmp_path)
    back = tmp_path / "back"
    back.mkdir()
    dump(dr.endpoint, back)
    inventory_file = back / "inventory.json"
    assert prove(primary.endpoint, back / "metadata.sql.zst", inventory_file, scratch_key="home") == []


def test_a_stricter_server_takes_zero_dates(dumped: Any, dr: Any) -> None:
    with dr.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.sql_mode")
        (before,) = cursor.fetchone()
        try:
            cursor.execute("SET GLOBAL sql_mode = 'TRADITIONAL,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'")
            assert prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="strict") == []
        finally:
            cursor.execute("SET GLOBAL sql_mode = %s", (before,))


@pytest.mark.parametrize("policy", ["disabled", "as_recorded"])
def test_events_are_off_until_promotion(policy: str, dumped: Any, dr: Any, tmp_path: Path) -> None:
    restored(dumped, dr, tmp_path)
    names = enable_events(dr.endpoint, dumped.inventory) if policy == "as_recorded" else []
    statuses = dr.run(
        "SELECT EVENT_NAME, STATUS, DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"
    )
    on = {name for name, status, _ in statuses if status == "ENABLED"}
    assert on == set(names) == (set() if policy == "disabled" else {"every_second", "in_latin", "soon"})
    assert {definer for _, _, definer in statuses} == {"root@127.0.0.1"}


def test_an_event_that_inserts_each_second_is_quiet_in_the_copy(
    nasty: Any, dumped: Any, dr: Any, tmp_path: Path
) -> None:
    restored(dumped, dr, tmp_path)
    ticks = "SELECT COUNT(*) FROM audit WHERE what = 'tick'"
    here, there = nasty.run(ticks), dr.run(ticks)
    wait_until(lambda: nasty.run(ticks) > here)
    assert dr.run(ticks) == there
    enable_events(dr.endpoint, dumped.inventory)
    wait_until(lambda: dr.run(ticks) > there)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_after_promotion_all_is_as_recorded(dumped: Any, primary: Any, dr: Any, tmp_path: Path) -> None:
    restored(dumped, dr, tmp_path)
    quiet = dumped.inventory.model_copy(
        update={"events": {name: event for name, event in dumped.inventory.events.items() if name != "every_second"}}
    )
    dr.run("DROP EVENT every_second")
    enable_events(dr.endpoint, quiet)
    assert compare(quiet, take_inventory(dr.endpoint), events="as_recorded") == []


def test_the_default_character_set_of_the_schema_is_kept(nasty: Any, dr: Any, folder: Path) -> None:
    nasty.run(f"ALTER DATABASE `{nasty.endpoint.schema}` CHARACTER SET latin1 COLLATE latin1_german1_ci")
    dump(nasty.endpoint, folder)
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="latin") == []
    assert dr.run("SELECT @@collation_database") == (("utf8mb4_unicode_ci",),), (
        "of the live schema, not the scratch one"
    )


def test_fifty_tables_with_five_indexes_each(primary: Any, dr: Any, folder: Path) -> None:
    for number in range(50):
        primary.run(
            f"CREATE TABLE t{number} (a INT PRIMARY KEY, b INT, c INT, d VARCHAR(20), e DATE, f INT, "
            f"KEY k1 (b), KEY k2 (c, b), KEY k3 (d(5)), UNIQUE k4 (e), KEY k5 (f), CHECK (b < 100)"
            + (f", CONSTRAINT fk{number} FOREIGN KEY (f) REFERENCES t{number - 1} (a)" if number else "")
            + ")",
            f"CREATE TRIGGER tr{number} BEFORE INSERT ON t{number} FOR EACH ROW SET NEW.c = NEW.b + 1",
            f"INSERT INTO t{number} (a, b, d) VALUES (1, {number}, 'x')",
        )
    report = dump(primary.endpoint, folder)
    assert (report.tables, report.rows) == (50, 50)
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="fifty") == []
