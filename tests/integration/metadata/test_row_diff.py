"""Two schemas are compared row by row: what differs is named by its key, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from incorta_provider.metadata.comparison import compare_schemas
from incorta_provider.metadata.prove import prove, restored_apart
from incorta_provider.metadata.row_diff import SHOWN
from lab.testbed import Pair

pytestmark = pytest.mark.lab

KEYED = (
    "CREATE TABLE job (id INT, name VARCHAR(20) CHARACTER SET latin1, state VARCHAR(20), note BLOB, "
    "PRIMARY KEY (id, name)) ENGINE = InnoDB"
)
ROWS = "INSERT INTO job SELECT seq, CONCAT('Größe ', seq), 'on', REPEAT('x', 50) FROM seq_1_to_3000"


@pytest.fixture
def both(places: Pair[Any]) -> Pair[Any]:
    for place in places:
        place.run(KEYED, ROWS)
    return places


def lines(places: Pair[Any]) -> list[str]:
    return [str(found) for found in compare_schemas(places.primary.endpoint, places.dr.endpoint)]


def test_equal_schemas_have_no_difference(both: Pair[Any]) -> None:
    assert lines(both) == []


def test_changed_missing_and_unexpected_rows_are_named_by_key_and_column(both: Pair[Any]) -> None:
    both.dr.run(
        "UPDATE job SET state = 'off', note = NULL WHERE id = 7",
        "DELETE FROM job WHERE id = 2999",
        "INSERT INTO job VALUES (5000, 'new', NULL, '')",
    )
    checksum, *rows = lines(both)
    assert "checksum of its 3000 row(s)" in checksum
    assert rows == [
        "table `job`: row `id` = '2999', `name` = 'Größe 2999': expected it, found nothing",
        "table `job`: row `id` = '5000', `name` = 'new': expected nothing, found it",
        "table `job`: row `id` = '7', `name` = 'Größe 7': expected equal, found other values in `state`, `note`",
    ]


def test_of_many_rows_the_first_are_named(both: Pair[Any]) -> None:
    both.dr.run("UPDATE job SET state = 'off'")
    assert len(lines(both)) == 1 + SHOWN


def test_rows_of_a_table_without_a_key_are_told_apart_by_all_they_hold(places: Pair[Any]) -> None:
    for place in places:
        place.run(
            "CREATE TABLE plain (a INT NULL UNIQUE, b VARBINARY(9), c VARCHAR(200), UNIQUE KEY prefix (c(3)))",
            "INSERT INTO plain VALUES (NULL, 0xFF00, NULL), (NULL, 0xFF00, NULL), (1, NULL, 'x')",
        )
    places.dr.run("INSERT INTO plain VALUES (NULL, 0xFF00, NULL)", "UPDATE plain SET b = 'B' WHERE a = 1")
    assert lines(places) == [
        "table `plain`: rows: expected 3, found 4",
        "table `plain`: row `a` = '1', `b` = '0x42', `c` = 'x': expected nothing, found it",
        "table `plain`: row `a` = '1', `b` = NULL, `c` = 'x': expected it, found nothing",
        "table `plain`: row `a` = NULL, `b` = '0xFF00', `c` = NULL: expected 2 of it, found 3 of it",
    ]


def test_every_kind_of_column_can_be_compared(dumped: Any, nasty: Any, dr: Any) -> None:
    with restored_apart(dr.endpoint, dumped.dump, dumped.inventory, scratch_key="kinds") as scratch:
        assert [found for found in compare_schemas(nasty.endpoint, scratch) if found.object == "table `kinds`"] == []
        nasty.run("UPDATE kinds SET big = '', ratio = 2, flags = 0 WHERE label = 'all'")
        checksum, row = [found for found in compare_schemas(nasty.endpoint, scratch) if found.object == "table `kinds`"]
    assert "checksum" in checksum.what
    assert (row.expected, row.actual) == ("equal", "other values in `big`, `flags`, `ratio`, `stamped`")


def test_a_proof_that_fails_names_the_rows_that_the_source_has_otherwise(dumped: Any, nasty: Any, dr: Any) -> None:
    known = dumped.inventory.tables["parent"]
    wrong = dumped.inventory_file.read_text().replace(known.checksum, "1")
    dumped.inventory_file.write_text(wrong)
    key = nasty.run("SELECT MIN(id) FROM parent")[0][0]
    nasty.run(f"UPDATE parent SET d = 'changed since' WHERE id = {key}")
    found = prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="rows", source=nasty.endpoint)
    assert [(str(each.object), each.what.split(" of ")[0]) for each in found] == [
        ("table `parent`", "checksum"),
        ("table `parent`", f"row `id` = '{key}', against the source as it is now"),
    ]


def test_a_source_that_is_gone_changes_no_verdict(dumped: Any, nasty: Any, dr: Any) -> None:
    known = dumped.inventory.tables["parent"]
    dumped.inventory_file.write_text(dumped.inventory_file.read_text().replace(known.checksum, "1"))
    gone = replace(nasty.endpoint, schema="nowhere")
    found = prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="gone", source=gone)
    assert [each.what.split(" of ")[0] for each in found] == ["checksum"]


def test_a_table_with_other_columns_is_not_compared_by_rows(both: Pair[Any]) -> None:
    both.dr.run("ALTER TABLE job ADD extra INT", "DELETE FROM job WHERE id = 1")
    assert [line.split(":")[1] for line in lines(both)] == [" column `extra`", " rows"]
