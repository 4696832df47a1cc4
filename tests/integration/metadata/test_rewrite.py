"""Values of the site are rewritten exactly once, and what still points to the other site is found."""

from __future__ import annotations

from typing import Any

import pytest

from incorta_provider.exceptions import ConfigurationError, IntegrityError
from incorta_provider.metadata.rewrite import Change, Finding, Rule, rewrite, scan

pytestmark = pytest.mark.lab

OLD, NEW = "/data/berlin/Tenants", "/data/newyork/Tenants"


@pytest.fixture
def site(primary: Any) -> Any:
    primary.run(
        "CREATE TABLE tenant (name VARCHAR(20) PRIMARY KEY, path VARCHAR(60) NOT NULL, note TEXT, "
        "at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, "
        "upper_path VARCHAR(60) AS (UPPER(path)) STORED) ENGINE = InnoDB",
        f"INSERT INTO tenant (name, path, note, at) VALUES ('a', '{OLD}/a', NULL, '2020-01-01'), "
        f"('b', '{OLD}/b', 'x {OLD} y {OLD}', '2020-01-01'), ('c', '/other', '', '2020-01-01')",
        "CREATE TABLE `odd ``t` (`a col` TEXT CHARACTER SET latin1, document JSON, raw BLOB, "
        "e ENUM('http://berlin/', 'x'))",
        "INSERT INTO `odd ``t` VALUES ('Größe http://berlin/ä', '{\"url\": \"http:\\\\/\\\\/berlin\\\\/x\"}', "
        "CONCAT(0xFF00, 'http://berlin/', 0xFE), 'http://berlin/'), (NULL, NULL, NULL, NULL)",
    )
    return primary


def test_values_are_replaced_and_counted(site: Any) -> None:
    changes = rewrite(site.endpoint, [Rule("tenant", "path", OLD, NEW), Rule("tenant", "note", OLD, NEW)])
    assert sorted(changes, key=lambda change: change.before) == [
        Change("tenant", "path", f"{OLD}/a", f"{NEW}/a", 1),
        Change("tenant", "path", f"{OLD}/b", f"{NEW}/b", 1),
        Change("tenant", "note", f"x {OLD} y {OLD}", f"x {NEW} y {NEW}", 1),
    ]
    assert site.run("SELECT path, at = '2020-01-01', upper_path FROM tenant ORDER BY name") == (
        (f"{NEW}/a", 1, f"{NEW}/a".upper()),
        (f"{NEW}/b", 1, f"{NEW}/b".upper()),
        ("/other", 1, "/OTHER"),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/data", "/mnt/data"),
        ("/data/berlin", "/data"),
        ("berlin", "berlin2"),
        ("/data/berlin/Tenants", "/data/berlin/Tenants/new"),
        ("%", "_"),
        ("a", "a"),
    ],
)
def test_rewriting_twice_is_rewriting_once(before: str, after: str, site: Any) -> None:
    original = site.run("SELECT path FROM tenant ORDER BY name")
    rewrite(site.endpoint, [Rule("tenant", "path", before, after)])
    once = site.run("SELECT path FROM tenant ORDER BY name")
    assert once == tuple((path.replace(before, after),) for (path,) in original)
    assert rewrite(site.endpoint, [Rule("tenant", "path", before, after)]) == []
    assert site.run("SELECT path FROM tenant ORDER BY name") == once


def test_json_binary_and_other_character_sets_are_rewritten_in_their_own_form(site: Any) -> None:
    rules = [Rule("odd `t", column, "http://berlin/", "https://newyork/") for column in ("a col", "document", "raw")]
    assert len(rewrite(site.endpoint, rules)) == 3
    assert site.run("SELECT `a col`, document, HEX(raw) FROM `odd ``t` WHERE raw IS NOT NULL") == (
        (
            "Größe https://newyork/ä",
            '{"url": "https:\\/\\/newyork\\/x"}',
            (b"\xff\x00https://newyork/\xfe").hex().upper(),
        ),
    )


def test_names_with_percent_signs_are_names(nasty: Any) -> None:
    table = "odd`name \"with\" 'quotes', spaces und Ü 日本"
    assert rewrite(nasty.endpoint, [Rule(table, "%s", "%s", "100 %")]) == [Change(table, "%s", "%s", "100 %", 1)]
    assert [finding.rows for finding in scan(nasty.endpoint, {"percent": "100 %"})] == [1]


def test_case_matters(site: Any) -> None:
    assert rewrite(site.endpoint, [Rule("tenant", "path", OLD.upper(), NEW)]) == []


@pytest.mark.parametrize(
    ("rule", "kind", "said"),
    [
        (Rule("nowhere", "path", "a", "b"), ConfigurationError, "nowhere.path, which is no text column"),
        (Rule("tenant", "at", "a", "b"), ConfigurationError, "tenant.at, which is no text column"),
        (Rule("tenant", "upper_path", "a", "b"), ConfigurationError, "tenant.upper_path, which is no text column"),
        (Rule("tenant", "path", "/other", "x" * 100), IntegrityError, "does not take the rewritten value"),
        (Rule("odd `t", "a col", "http", "日本"), IntegrityError, "does not take the rewritten value"),
        (Rule("tenant", "name", "a", "b"), IntegrityError, "Duplicate entry"),
    ],
)
def test_a_rule_that_cannot_be_applied_undoes_all(rule: Rule, kind: type[Exception], said: str, site: Any) -> None:
    with pytest.raises(kind, match=said):
        rewrite(site.endpoint, [Rule("tenant", "path", OLD, NEW), rule])
    assert site.run("SELECT path FROM tenant WHERE name = 'a'") == ((f"{OLD}/a",),)


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
