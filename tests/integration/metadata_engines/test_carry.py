"""From one engine to the other: as mapped, or refused by name with nothing touched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.metadata_rules import EngineMapping
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.carry import carried
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.load import load
from incorta_provider.metadata.prove import read_inventory
from incorta_provider.metadata.restore import replace_schema

pytestmark = pytest.mark.mysql

MAPPING = EngineMapping(collations={"utf8mb4_0900_ai_ci": "utf8mb4_unicode_520_ci"})


@pytest.fixture
def to_mysql(mariadb_pair: Any, mysql_pair: Any, schema_at: Callable[..., Any]) -> tuple[Any, Any]:
    return schema_at(mariadb_pair.primary), schema_at(mysql_pair.dr)


@pytest.fixture
def to_mariadb(mariadb_pair: Any, mysql_pair: Any, schema_at: Callable[..., Any]) -> tuple[Any, Any]:
    return schema_at(mysql_pair.primary), schema_at(mariadb_pair.dr)


def dumped(place: Any, folder: Path) -> Inventory:
    dump(place.endpoint, folder)
    return read_inventory(folder / INVENTORY_FILE)


def test_a_mysql_is_restored_to_a_mariadb(to_mariadb: tuple[Any, Any], folder: Path, tmp_path: Path) -> None:
    source, target = to_mariadb
    source.run(
        "CREATE TABLE file (id INT AUTO_INCREMENT PRIMARY KEY, path VARCHAR(200) COLLATE utf8mb4_0900_ai_ci UNIQUE, "
        "facts JSON, at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), done TINYINT(1) NOT NULL DEFAULT 0)",
        "CREATE TABLE part (file_id INT, raw BLOB, CHECK (file_id > 0), FOREIGN KEY (file_id) REFERENCES file (id))",
        """INSERT INTO file (path, facts) VALUES ('a''\\\\b\\n);', '{"n": 1.0, "s": "😀"}'), ('Straße', NULL)""",
        "INSERT INTO part VALUES (1, 0x00FF0A), (2, NULL)",
    )
    target.run("CREATE TABLE before_it (a INT PRIMARY KEY)")
    inventory = carried(target.endpoint, dumped(source, folder), MAPPING)
    sha256 = hashlib.sha256((folder / DUMP_FILE).read_bytes()).hexdigest()
    assert replace_schema(target.endpoint, folder / DUMP_FILE, inventory, tmp_path / "backup", sha256=sha256) == []
    query = "SELECT id, HEX(path), HEX(facts), UNIX_TIMESTAMP(at), done FROM file ORDER BY id"
    assert target.run(query) == source.run(query)
    assert target.run("SELECT file_id, HEX(raw) FROM part ORDER BY 1") == ((1, "00FF0A"), (2, None))
    assert target.run(
        "SELECT COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME = 'path'"
    ) == (("utf8mb4_unicode_520_ci",),)
    assert target.run("INSERT INTO file (path) VALUES ('next')", "SELECT MAX(id) FROM file") == ((3,),)


@pytest.mark.parametrize("mapping", [None, MAPPING])
def test_what_cannot_be_carried_over_is_named_and_nothing_is_touched(
    mapping: EngineMapping | None, to_mysql: tuple[Any, Any], folder: Path
) -> None:
    source, target = to_mysql
    source.run(
        "CREATE TABLE good (a INT PRIMARY KEY)",
        "CREATE TABLE hidden (a INT PRIMARY KEY, b INT INVISIBLE DEFAULT 1)",
        "CREATE TABLE worded (a INT PRIMARY KEY, b TEXT DEFAULT 'x')",
        "CREATE TABLE sorted (a VARCHAR(9) COLLATE utf8mb4_uca1400_ai_ci PRIMARY KEY)",
        "CREATE VIEW seen AS SELECT a FROM good",
    )
    target.run("CREATE TABLE before_it (a INT PRIMARY KEY)")
    inventory = dumped(source, folder)
    with pytest.raises(ConfigurationError) as caught:
        carried(target.endpoint, inventory, mapping)
    if mapping is None:
        assert caught.value.what == "the dump is MariaDB's, the server is a MySQL"
    else:
        assert caught.value.what.startswith("4 thing(s) have no exact counterpart on MySQL: view `seen`; ")
        for part in ("table `hidden`, column `b`", "table `worded`, BLOB", "table `sorted`, collation utf8mb4_uca1400"):
            assert part in caught.value.what
    assert target.run("SHOW TABLES") == (("before_it",),)
    scratch = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '\\_dr\\_proof\\_%%'"
    assert target.run(scratch) == ((0,),)


def test_two_values_that_the_other_collation_takes_for_one_end_the_load(
    to_mysql: tuple[Any, Any], folder: Path
) -> None:
    source, target = to_mysql
    source.run("CREATE TABLE t (a VARCHAR(9) COLLATE utf8mb4_bin PRIMARY KEY)", "INSERT INTO t VALUES ('a'), ('A')")
    mapping = EngineMapping(collations={"utf8mb4_bin": "utf8mb4_0900_ai_ci"})
    inventory = carried(target.endpoint, dumped(source, folder), mapping)
    with pytest.raises(ConfigurationError, match=r"Duplicate entry '[aA]'"):
        load(target.endpoint, target.endpoint.schema, folder / DUMP_FILE, inventory)
