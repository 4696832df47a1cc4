"""Every kind of object between every pair of engines: equal or refused, never silently another; writes the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import Inventory, Table
from incorta_provider.dr.metadata_rules import EngineMapping
from incorta_provider.dr.plain_table import plain_table
from incorta_provider.dr.sql_names import quote
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.carry import carried
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.prove import prove, read_inventory
from tests.integration.metadata_engines.features import ENGINES, FEATURES, MARIADB, MYSQL, Feature
from tests.integration.metadata_engines.matrix import DOCUMENT, page

pytestmark = pytest.mark.mysql

MAPPING = EngineMapping(
    collations={"utf8mb4_0900_ai_ci": "utf8mb4_unicode_520_ci", "utf8mb4_uca1400_ai_ci": "utf8mb4_0900_ai_ci"}
)
KEPT = {
    *("integers, signed and unsigned", "DECIMAL", "DOUBLE", "BIT", "YEAR", "ENUM", "SET", "JSON", "TIME"),
    *("CHAR, VARCHAR in utf8mb4_unicode_ci", "text in utf8mb4_bin", "text in latin1", "text in utf16", "TIMESTAMP"),
    *("BINARY, VARBINARY, BLOB", "DATE, DATETIME, zero dates", "AUTO_INCREMENT", "foreign key", "check", "odd names"),
    *("no primary key", "unique, prefix and several columns", "full text index", "default value", "comments"),
}
"""What both engines mean the same by: never refused."""


def looked_at(source: Any, target: Any, folder: Path) -> dict[str, str]:
    """Return what becomes of each feature on the way from one schema to a server."""
    engine = source.endpoint.engine().name
    here = [feature for feature in FEATURES if engine in feature.made]
    for feature in here:
        source.run("SET SESSION sql_mode = ''", *feature.made[engine])
    outcome = dict.fromkeys([feature.title for feature in FEATURES], "none")
    outcome |= dict.fromkeys([feature.title for feature in here], "equal")
    dump(source.endpoint, folder)
    if target.endpoint.engine().name != engine:
        outcome |= carried_over(source, target, here, read_inventory(folder / INVENTORY_FILE))
        dump(source.endpoint, folder)
    assert proven(target, folder, MAPPING) == []
    return outcome


def proven(target: Any, folder: Path, mapping: EngineMapping | None) -> list[str]:
    found = prove(target.endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="matrix", mapping=mapping)
    return [str(difference) for difference in found]


def carried_over(source: Any, target: Any, features: Sequence[Feature], inventory: Inventory) -> dict[str, str]:
    """Drop what is refused, which the message has to name, and return what was refused and what is mapped."""
    with pytest.raises(ConfigurationError, match=r"the dump is \w+'s, the server is a"):
        carried(target.endpoint, inventory, None)
    with pytest.raises(ConfigurationError, match="have no exact counterpart") as caught:
        carried(target.endpoint, inventory, MAPPING)
    outcome = {}
    for feature in reversed(features):
        if quote(feature.key) in caught.value.what:
            outcome[feature.title] = "refused"
            source.run(f"DROP {feature.title if feature.kind == 'code' else 'TABLE'} {quote(feature.key)}")
        elif is_mapped(inventory.tables[feature.key]):
            outcome[feature.title] = "mapped"
    return outcome


def is_mapped(table: Table) -> bool:
    return bool(plain_table(table).collations() & MAPPING.collations.keys()) or any(
        " json" in text for text in table.columns.values()
    )


def test_every_pair(mariadb_pair: Any, mysql_pair: Any, schema_at: Callable[..., Any], tmp_path: Path) -> None:
    servers = dict(zip(ENGINES, (mariadb_pair, mysql_pair), strict=True))
    cells = {}
    for source in ENGINES:
        for target in ENGINES:
            folder = tmp_path / f"{source}-{target}"
            folder.mkdir()
            places = schema_at(servers[source].primary), schema_at(servers[target].dr)
            cells[source, target] = looked_at(*places, folder)
    versions = {name: schema_at(pair.dr).endpoint.engine().version for name, pair in servers.items()}
    assert all(set(cells[engine, engine].values()) == {"equal", "none"} for engine in ENGINES)
    for pair in ((MARIADB, MYSQL), (MYSQL, MARIADB)):
        kept = {title for title, outcome in cells[pair].items() if outcome in ("equal", "mapped")}
        assert kept >= KEPT, f"{pair}: {KEPT - kept}"
    rows = [(feature.kind, feature.title) for feature in FEATURES]
    DOCUMENT.write_text(page(versions, rows, cells), encoding="utf-8")
