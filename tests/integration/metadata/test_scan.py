"""What still points to the other site is found, wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest

from incorta_provider.metadata.scan import Finding, scan

pytestmark = pytest.mark.lab

OLD = "/data/berlin/Tenants"


@pytest.fixture
def site(tenants: Any) -> Any:
    return tenants


def test_the_scan_looks_into_every_column_and_definition(site: Any) -> None:
    site.run(
        f"CREATE VIEW pointing AS SELECT '{OLD}' AS p",
        f"CREATE PROCEDURE pointing() SELECT '{OLD}'",
        f"CREATE TRIGGER pointing BEFORE INSERT ON tenant FOR EACH ROW SET NEW.note = '{OLD}'",
        f"CREATE EVENT pointing ON SCHEDULE EVERY 1 DAY DO SET @x = '{OLD}'",
        f"CREATE TABLE defaulting (a VARCHAR(100) DEFAULT '{OLD}')",
    )
    found = scan(site.endpoint, {"tenants_path": OLD, "cmc_url": "http://berlin/", "absent": "nothing like it"})
    assert sorted(map(str, found)) == [
        "`odd ``t`.`a col` holds the other site's cmc_url in 1 row(s)",
        "`odd ``t`.`document` holds the other site's cmc_url in 1 row(s)",
        "`odd ``t`.`e` holds the other site's cmc_url in 1 row(s)",
        "`odd ``t`.`raw` holds the other site's cmc_url in 1 row(s)",
        "`tenant`.`note` holds the other site's tenants_path in 1 row(s)",
        "`tenant`.`path` holds the other site's tenants_path in 2 row(s)",
        "definition of event `pointing` holds the other site's tenants_path",
        "definition of routine `PROCEDURE pointing` holds the other site's tenants_path",
        "definition of table `defaulting` holds the other site's tenants_path",
        "definition of table `odd ``t` holds the other site's cmc_url",
        "definition of trigger `pointing` holds the other site's tenants_path",
        "definition of view `pointing` holds the other site's tenants_path",
    ]


def test_a_value_inside_a_value_of_this_site_is_no_finding(site: Any) -> None:
    site.run("UPDATE tenant SET path = CONCAT('/mnt', path), note = NULL")
    assert scan(site.endpoint, {"path": "/data"}, own=["/mnt/data"]) == []
    site.run("UPDATE tenant SET note = '/mnt/data and /data' WHERE name = 'c'")
    assert scan(site.endpoint, {"path": "/data"}, own=["/mnt/data"]) == [Finding("`tenant`.`note`", "path", 1)]


def test_nothing_to_search_for_finds_nothing(site: Any) -> None:
    assert scan(site.endpoint, {}) == []
    assert scan(site.endpoint, {"empty": ""}) == []


def test_a_column_that_the_topology_allows_is_not_searched(site: Any) -> None:
    allowed = {("tenant", "path"), ("odd `t", "document")}
    found = scan(site.endpoint, {"tenants_path": OLD, "cmc_url": "http:\\/\\/berlin"}, allowed=allowed)
    assert [str(finding) for finding in found] == ["`tenant`.`note` holds the other site's tenants_path in 1 row(s)"]
