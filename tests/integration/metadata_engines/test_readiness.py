"""The readiness of a pair with a MySQL in it: each server is judged by its own engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.metadata_rules import EngineMapping, MetadataRules
from incorta_provider.metadata.dump import INVENTORY_FILE, dump
from incorta_provider.metadata.prove import read_inventory
from incorta_provider.metadata.readiness.finding import Finding, blockers
from incorta_provider.metadata.readiness.pair import pair_findings, restore_findings

pytestmark = pytest.mark.mysql

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MAPPED = MetadataRules(mapping=EngineMapping(collations={"utf8mb4_0900_ai_ci": "utf8mb4_unicode_520_ci"}))


def blocked(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.subject, finding.site) for finding in blockers(findings)]


def test_two_mysqls_with_one_of_everything_are_ready(nasty: Any, dr: Any, folder: Path) -> None:
    assert blocked(pair_findings(nasty.endpoint, dr.endpoint, NOW)) == []
    dump(nasty.endpoint, folder)
    assert blocked(restore_findings(dr.endpoint, read_inventory(folder / INVENTORY_FILE), NOW)) == []


def test_each_right_of_mysql_that_is_missing_is_named(nasty: Any, dr: Any) -> None:
    account = f"'{dr.endpoint.user}'@'127.0.0.1'"
    dr.run(f"REVOKE SHOW_ROUTINE ON *.* FROM {account}")
    (finding,) = blockers(pair_findings(nasty.endpoint, dr.endpoint, NOW))
    assert (finding.subject, finding.fix) == ("rights", f"GRANT SHOW_ROUTINE ON *.* TO {account}")


def test_programs_of_mariadb_alone_are_not_enough(primary: Any, dr: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = blockers(pair_findings(primary.endpoint, dr.endpoint, NOW))
    assert [finding.reason for finding in found] == ["mysqldump is not installed", "mysql is not installed"]
    assert all("MySQL's own client programs" in finding.fix for finding in found)


def test_two_makes_are_ready_only_with_a_mapping(
    mariadb_pair: Any, mysql_pair: Any, schema_at: Callable[..., Any], folder: Path
) -> None:
    source, target = schema_at(mysql_pair.primary), schema_at(mariadb_pair.dr)
    source.run("CREATE TABLE t (a VARCHAR(9) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY)")
    site = target.endpoint.site
    assert blocked(pair_findings(source.endpoint, target.endpoint, NOW)) == [("version", site), ("collations", site)]
    assert blocked(pair_findings(source.endpoint, target.endpoint, NOW, MAPPED)) == []
    dump(source.endpoint, folder)
    inventory = read_inventory(folder / INVENTORY_FILE)
    assert blocked(restore_findings(target.endpoint, inventory, NOW)) == [("version", site), ("collations", site)]
    assert blocked(restore_findings(target.endpoint, inventory, NOW, mapping=MAPPED.mapping)) == []
