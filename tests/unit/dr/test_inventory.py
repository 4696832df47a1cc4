from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.inventory import (
    Code,
    Difference,
    Event,
    Inventory,
    Server,
    Table,
    compare,
    definers,
    invokers,
    unequal_tables,
)
from incorta_provider.dr.sql_names import quote, rename_schema

SERVER = Server(
    version="10.11.19-MariaDB",
    sql_mode="STRICT_TRANS_TABLES",
    character_set="utf8mb4",
    collation="utf8mb4_general_ci",
    time_zone="+01:00",
    lower_case_table_names=0,
)
SETTINGS = {"sql_mode": "", "character_set_client": "utf8mb4", "collation_connection": "utf8mb4_general_ci"}


def table(**changed: Any) -> Table:
    fields: dict[str, Any] = {
        "engine": "InnoDB",
        "columns": {"id": "`id` int(11) NOT NULL", "v": "`v` varchar(20) DEFAULT NULL"},
        "indexes": {"PRIMARY KEY": "PRIMARY KEY (`id`)", "k": "KEY `k` (`v`)"},
        "constraints": {},
        "options": "ENGINE=InnoDB",
        "rows": 3,
        "checksum": "123",
    }
    return Table(**{**fields, **changed})


def code(definition: str, **settings: str) -> Code:
    return Code(definition=definition, settings={**SETTINGS, **settings})


def event(status: str) -> Event:
    return Event(definition="CREATE DEFINER=`a`@`%` EVENT `e` DISABLE DO SET @x = 1", settings=SETTINGS, status=status)


def inventory(**changed: Any) -> Inventory:
    fields: dict[str, Any] = {
        "server": SERVER,
        "schema_name": "incorta",
        "character_set": "utf8mb4",
        "collation": "utf8mb4_unicode_ci",
        "tables": {"t": table()},
        "views": {"v": code("CREATE DEFINER=`root`@`localhost` VIEW `v` AS select `incorta`.`f`(1) AS `f`")},
        "routines": {"FUNCTION f": code("CREATE DEFINER=`app`@`10.%` FUNCTION `f`() RETURN 1")},
        "triggers": {"g": code("CREATE DEFINER=`app` TRIGGER `g` BEFORE INSERT ON `t` FOR EACH ROW SET @x = 1")},
        "events": {"e": event("ENABLED")},
    }
    return Inventory(**{**fields, **changed})


def texts(expected: Inventory, actual: Inventory, *, events: Any = "as_recorded") -> list[str]:
    return [str(difference) for difference in compare(expected, actual, events=events)]


def test_an_inventory_is_equal_to_itself_after_a_trip_through_json() -> None:
    again = Inventory.model_validate_json(inventory().model_dump_json())
    assert again == inventory()
    assert compare(inventory(), again, events="as_recorded") == []


def test_server_and_position_are_no_part_of_the_comparison() -> None:
    other = SERVER.model_copy(update={"version": "11.4.1-MariaDB", "time_zone": "-05:00"})
    assert texts(inventory(), inventory(server=other, position="binlog.000001:4")) == []


def test_a_view_may_name_its_schema_under_the_name_that_it_was_restored_to() -> None:
    renamed = code("CREATE DEFINER=`root`@`localhost` VIEW `v` AS select `_dr_proof_x`.`f`(1) AS `f`")
    assert texts(inventory(), inventory(schema_name="_dr_proof_x", views={"v": renamed})) == []
    assert len(texts(inventory(), inventory(schema_name="_dr_proof_x"))) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tables": {}}, "table `t`: existence: expected it, found nothing"),
        ({"tables": {"t": table(), "u": table()}}, "table `u`: existence: expected nothing, found it"),
        ({"tables": {"t": table(rows=4)}}, "table `t`: rows: expected 3, found 4"),
        ({"tables": {"t": table(checksum="9")}}, "table `t`: checksum of its 3 row(s): expected 123, found 9"),
        ({"tables": {"t": table(engine="Aria")}}, "table `t`: engine: expected InnoDB, found Aria"),
        (
            {"tables": {"t": table(indexes={"PRIMARY KEY": "PRIMARY KEY (`id`)"})}},
            "table `t`: index `k`: expected KEY `k` (`v`), found nothing",
        ),
        ({"views": {}}, "view `v`: existence: expected it, found nothing"),
        ({"routines": {"PROCEDURE f": code("")}}, "function `f`: existence: expected it, found nothing"),
        ({"triggers": {}}, "trigger `g`: existence: expected it, found nothing"),
        ({"events": {"e": event("DISABLED")}}, "event `e`: status: expected ENABLED, found DISABLED"),
        ({"collation": "utf8mb4_bin"}, "schema: collation: expected utf8mb4_unicode_ci, found utf8mb4_bin"),
    ],
)
def test_each_difference_is_one_sentence(changed: dict[str, Any], said: str) -> None:
    assert said in texts(inventory(), inventory(**changed))


def test_tables_can_be_compared_by_rows_when_only_those_differ() -> None:
    here = {"same": table(), "more": table(), "other": table(), "columns": table(), "gone": table()}
    there = {
        "same": table(),
        "more": table(rows=4),
        "other": table(checksum="9"),
        "columns": table(checksum="9", columns={}),
        "new": table(),
    }
    assert unequal_tables(inventory(tables=here), inventory(tables=there)) == ["more", "other"]


def test_a_setting_of_a_routine_counts() -> None:
    changed = {"FUNCTION f": code("CREATE DEFINER=`app`@`10.%` FUNCTION `f`() RETURN 1", sql_mode="ANSI_QUOTES")}
    assert texts(inventory(), inventory(routines=changed)) == [
        "function `f`: setting `sql_mode`: expected , found ANSI_QUOTES"
    ]


def test_columns_in_another_order_are_another_table() -> None:
    turned = table(columns=dict(reversed(table().columns.items())))
    assert texts(inventory(), inventory(tables={"t": turned})) == [
        "table `t`: order of columns: expected id, v, found v, id"
    ]


def test_events_are_all_off_or_as_recorded() -> None:
    mixed = {"on": event("ENABLED"), "off": event("DISABLED"), "replica": event("SLAVESIDE_DISABLED")}
    off = dict.fromkeys(mixed, event("DISABLED"))
    assert texts(inventory(events=mixed), inventory(events=off), events="disabled") == []
    assert texts(inventory(events=mixed), inventory(events=mixed), events="as_recorded") == []
    assert texts(inventory(events=mixed), inventory(events=mixed), events="disabled") == [
        "event `on`: status: expected DISABLED, found ENABLED",
        "event `replica`: status: expected DISABLED, found SLAVESIDE_DISABLED",
    ]


def test_a_checksum_that_float_columns_explain_says_so() -> None:
    columns = {"id": "`id` int(11)", "w": "`w` float DEFAULT NULL", "not": "`not` varchar(9) COMMENT 'a float'"}
    found = texts(
        inventory(tables={"t": table(columns=columns)}), inventory(tables={"t": table(columns=columns, checksum="9")})
    )
    assert found == [
        "table `t`: checksum of its 3 row(s) (FLOAT column(s) `w`: dumps keep six digits, DOUBLE keeps all): "
        "expected 123, found 9"
    ]


def test_long_definitions_are_shown_where_they_differ() -> None:
    text = str(Difference("view `v`", "definition", "x" * 500 + "here" + "y" * 500, "x" * 500 + "there" + "y" * 500))
    assert "here" in text
    assert "there" in text
    assert len(text) < 500


def test_definers_are_read_from_the_definitions() -> None:
    assert definers(inventory()) == {
        "view `v`": ("root", "localhost"),
        "function `f`": ("app", "10.%"),
        "trigger `g`": ("app", ""),
        "event `e`": ("a", "%"),
    }


def test_what_runs_as_who_uses_it_is_known_but_for_roles() -> None:
    view = "CREATE ALGORITHM=UNDEFINED DEFINER={} SQL SECURITY INVOKER VIEW `v` AS select 1 AS `1`"
    views = {name: Code(definition=view.format(by), settings={}) for name, by in (("a", "`u`@`%`"), ("b", "`role`"))}
    assert invokers(inventory(views=views)) == {"view `a`"}


def test_rows_are_those_of_all_tables() -> None:
    assert inventory(tables={"a": table(rows=2), "b": table(rows=5)}).rows == 7


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(st.dictionaries(NAMES, st.integers(0, 3), max_size=5), st.dictionaries(NAMES, st.integers(0, 3), max_size=5))
def test_two_schemas_compare_equal_only_if_they_are(one: dict[str, int], other: dict[str, int]) -> None:
    left = inventory(tables={name: table(rows=rows) for name, rows in one.items()})
    right = inventory(tables={name: table(rows=rows) for name, rows in other.items()})
    found = compare(left, right, events="as_recorded")
    named = {name for name in {*one, *other} if one.get(name) != other.get(name)}
    assert {difference.object for difference in found} == {f"table {quote(name)}" for name in named}


@given(NAMES)
def test_a_quoted_name_ends_where_it_ends(name: str) -> None:
    quoted = quote(name)
    assert quoted[1:-1].replace("``", "") == name.replace("`", "")
    assert rename_schema(f"{quoted}.x", name, "new") == "`new`.x"
