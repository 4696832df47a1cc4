from __future__ import annotations

import threading
from typing import Any

import pytest

from incorta_provider.metadata.checksum import Column, Measure, checksum_query, measure, steady


def column(kind: str, name: str = "c", *, nullable: bool = False, expression: str = "") -> Column:
    return Column(name, kind, nullable, expression)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "`c`"),
        ("decimal", "`c`"),
        ("timestamp", "`c`"),
        ("double", "`c`"),
        ("float", "CAST(`c` AS DOUBLE)"),
        ("bit", "`c` + 0"),
        ("enum", "`c` + 0"),
        ("set", "`c` + 0"),
        ("varchar", "LENGTH(`c`), `c`"),
        ("varbinary", "LENGTH(`c`), `c`"),
        ("text", "SHA2(`c`, 256)"),
        ("longblob", "SHA2(`c`, 256)"),
        ("json", "SHA2(`c`, 256)"),
        ("point", "SHA2(`c`, 256)"),
        ("a type of the future", "SHA2(`c`, 256)"),
    ],
)
def test_each_type_has_one_exact_form(kind: str, value: str) -> None:
    expected = f"CONCAT_WS(_binary'#' COLLATE `binary`, '', {value})"
    assert expected in checksum_query("t", [column(kind)])


def test_which_values_are_null_comes_first() -> None:
    query = checksum_query(
        "o`dd", [column("int", "a", nullable=True), column("int", "b"), column("char", "c", nullable=True)]
    )
    assert query == (
        "SELECT COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS(_binary'#' COLLATE `binary`, "
        "CONCAT(ISNULL(`a`), ISNULL(`c`)), `a`, `b`, LENGTH(`c`), `c`), 256), 15), 16, 10) AS UNSIGNED)), 0) "
        "FROM `o``dd`"
    )


@pytest.mark.parametrize(
    "expression",
    ["rand()", "to_days(current_timestamp()) - `a`", "CURRENT_USER()", "uuid ()", "@@sql_mode", "unix_timestamp()"],
)
def test_a_value_of_the_moment_is_left_out_with_what_may_build_on_it(expression: str) -> None:
    columns = [column("int", "a"), column("int", "b", expression=expression), column("int", "c", expression="`b` + 1")]
    assert [each.name for each in steady(columns)] == ["a"]


@pytest.mark.parametrize("expression", ["`a` + 1", "json_value(`doc`,'$.user')", "concat(`now`,'@')", "`brand`"])
def test_other_generated_columns_count(expression: str) -> None:
    columns = [column("int", "a"), column("int", "b", expression=expression)]
    assert steady(columns) == columns


def test_every_table_is_measured_once_and_every_session_lets_go(fake_session: Any) -> None:
    seen: list[str] = []
    lock = threading.Lock()

    def answer(query: str) -> list[tuple[int, int]]:
        with lock:
            seen.append(query.rpartition(" ")[2])
        return [(len(seen), 7)]

    sessions = [fake_session(answer) for _ in range(3)]
    names = [f"t{number}" for number in range(20)]
    found = measure(sessions, {name: [column("int")] for name in names})
    assert sorted(seen) == sorted(f"`{name}`" for name in names)
    assert found.keys() == set(names)
    assert all(isinstance(each, Measure) and each.checksum == "7" for each in found.values())
    assert [session.rolled_back for session in sessions] == [1, 1, 1]


def test_after_a_failure_no_further_table_is_begun(fake_session: Any) -> None:
    seen: list[str] = []

    def answer(query: str) -> list[tuple[int, int]]:
        seen.append(query)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        measure([fake_session(answer)], {f"t{number}": [column("int")] for number in range(9)})
    assert len(seen) == 1
