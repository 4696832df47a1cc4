"""What dump and proof do beside copying, at a MySQL: other definers, and the rows that differ by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import definers, invokers
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.restore import replace_schema

pytestmark = pytest.mark.mysql


def test_a_definer_is_replaced_in_dump_and_inventory(nasty: Any, dr: Any, folder: Path) -> None:
    account = (dr.endpoint.user, "127.0.0.1")
    dump(nasty.endpoint, folder, definers={"*": "@".join(account)})
    assert set(definers(read_inventory(folder / INVENTORY_FILE)).values()) == {account}
    assert prove(dr.endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="definers") == []


def test_views_and_routines_run_as_who_uses_them_and_have_a_definer_that_exists(
    nasty: Any, dr: Any, folder: Path
) -> None:
    """MySQL makes no object under a definer that does not exist."""
    account = f"{dr.endpoint.user}@127.0.0.1"
    nasty.run(
        "CREATE USER gone@'%'",
        "CREATE DEFINER = gone@'%' VIEW left_view AS SELECT 1 AS one",
        "CREATE DEFINER = gone@'%' FUNCTION left_over(a DECIMAL(9, 2)) RETURNS INT DETERMINISTIC COMMENT 'c' RETURN a",
        "CREATE DEFINER = gone@'%' PROCEDURE left_too(IN a ENUM(')', 'b')) SELECT a",
    )
    try:
        report = dump(nasty.endpoint, folder, definers={"gone@%": f"{account}, invoker"})
    finally:
        nasty.run("DROP USER gone@'%'")
    inventory = read_inventory(folder / INVENTORY_FILE)
    assert invokers(inventory) >= {"view `left_view`", "function `left_over`", "procedure `left_too`"}
    assert replace_schema(dr.endpoint, folder / DUMP_FILE, inventory, folder / "record", sha256=report.sha256) == []
    assert dr.run("SELECT one, left_over(1) FROM left_view") == ((1, 1),)
    assert dr.run("CALL left_too('b')") == (("b",),)


def test_rows_that_differ_are_named_by_their_key(primary: Any, dr: Any, folder: Path) -> None:
    """The client writes the DOUBLE -0 as an integer, which has no sign."""
    primary.run("CREATE TABLE t (a INT PRIMARY KEY, b DOUBLE)", "INSERT INTO t VALUES (1, -0e0), (2, 0e0)")
    dump(primary.endpoint, folder)
    files = (folder / DUMP_FILE, folder / INVENTORY_FILE)
    found = prove(dr.endpoint, *files, scratch_key="rows", source=primary.endpoint)
    assert [difference.what for difference in found] == [
        "checksum of its 2 row(s)",
        "row `a` = '1', against the source as it is now",
    ]
    assert found[1].actual == "other values in `b`"
