"""Values are rewritten exactly once, as was seen before, and taken back when asked."""

from __future__ import annotations

from typing import Any

import pytest

from incorta_provider.dr.rewriting import Rewriting
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError
from incorta_provider.metadata.rewrite import Put, Replace, Rule, preview, rewrite
from incorta_provider.metadata.scan import scan
from incorta_provider.metadata.undo import undo

pytestmark = pytest.mark.lab

OLD, NEW = "/data/berlin/Tenants", "/data/newyork/Tenants"


@pytest.fixture
def site(tenants: Any) -> Any:
    tenants.run(
        "CREATE TABLE job (id BIGINT PRIMARY KEY, active TINYINT NOT NULL, flag BIT(2), state VARCHAR(9), at DATETIME)",
        "INSERT INTO job VALUES (9007199254740993, 1, 2, 'ACTIVE', '2024-01-01'), (2, 1, NULL, 'GONE', NULL)",
        "CREATE TABLE plain (a VARCHAR(50), f FLOAT, b VARBINARY(50), n INT) COLLATE utf8mb4_general_ci",
        f"INSERT INTO plain VALUES ('{OLD}', 0.1, 0xFF, NULL), ('{OLD}', 0.1, 0xFF, NULL), ('{OLD} ', 0.2, '', 1)",
    )
    return tenants


def changed(place: Any, *rules: Rule) -> list[tuple[Any, ...]]:
    done = rewrite(place.endpoint, rules, keep=lambda _: None)
    found = [(each.column, each.key, each.before, each.after) for each in done.changes]
    return sorted(found, key=lambda change: (change[0], str(change[1])))


def held(place: Any) -> list[Any]:
    return [sorted(map(str, place.run(f"SELECT * FROM {table}"))) for table in ("tenant", "`odd ``t`", "job", "plain")]


ALL: tuple[Rule, ...] = (
    Replace("tenant", "path", OLD, "/tmp/between"),
    Replace("tenant", "name", "a", "A2"),
    Replace("tenant", "path", "/tmp/between", NEW),
    Replace("odd `t", "raw", "http://berlin/", "https://newyork/"),
    Replace("odd `t", "a col", "http://berlin/", "https://newyork/"),
    Replace("plain", "a", OLD, NEW),
    Put("job", "active", "0"),
    Put("job", "flag", "1"),
    Put("job", "at", "2030-01-01 00:00:00"),
    Put("job", "state", "PAUSED", only="ACTIVE"),
)


def test_values_are_replaced_and_counted(site: Any) -> None:
    assert changed(site, Replace("tenant", "path", OLD, NEW), Replace("tenant", "note", OLD, NEW)) == [
        ("note", {"name": "b"}, f"x {OLD} y {OLD}", f"x {NEW} y {NEW}"),
        ("path", {"name": "a"}, f"{OLD}/a", f"{NEW}/a"),
        ("path", {"name": "b"}, f"{OLD}/b", f"{NEW}/b"),
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
    changed(site, Replace("tenant", "path", before, after))
    once = site.run("SELECT path FROM tenant ORDER BY name")
    assert once == tuple((path.replace(before, after),) for (path,) in original)
    assert changed(site, Replace("tenant", "path", before, after)) == []
    assert site.run("SELECT path FROM tenant ORDER BY name") == once


def test_json_binary_and_other_character_sets_are_rewritten_in_their_own_form(site: Any) -> None:
    rules = [Replace("odd `t", column, "http://berlin/", "https://newyork/") for column in ("a col", "document", "raw")]
    assert len(changed(site, *rules)) == 3
    assert site.run("SELECT `a col`, document, HEX(raw) FROM `odd ``t` WHERE raw IS NOT NULL") == (
        (
            "Größe https://newyork/ä",
            '{"url": "https:\\/\\/newyork\\/x"}',
            (b"\xff\x00https://newyork/\xfe").hex().upper(),
        ),
    )


def test_names_with_percent_signs_are_names(nasty: Any) -> None:
    table = "odd`name \"with\" 'quotes', spaces und Ü 日本"
    ((_, _, before, after),) = changed(nasty, Replace(table, "%s", "%s", "100 %"))
    assert (before, after) == ("%s", "100 %")
    assert [finding.rows for finding in scan(nasty.endpoint, {"percent": "100 %"})] == [1]


def test_case_matters(site: Any) -> None:
    assert changed(site, Replace("tenant", "path", OLD.upper(), NEW)) == []


@pytest.mark.parametrize(
    ("rule", "kind", "said"),
    [
        (Replace("nowhere", "path", "a", "b"), ConfigurationError, "nowhere.path, which is not a text column"),
        (Replace("tenant", "at", "a", "b"), ConfigurationError, "tenant.at, which is not a text column"),
        (
            Replace("tenant", "upper_path", "a", "b"),
            ConfigurationError,
            "tenant.upper_path, which is not a text column",
        ),
        (Replace("tenant", "path", "/other", "x" * 100), IntegrityError, "does not take the rewritten value"),
        (Replace("odd `t", "a col", "http", "日本"), IntegrityError, "does not take the rewritten value"),
        (Replace("tenant", "name", "a", "b"), IntegrityError, "Duplicate entry"),
        (Put("tenant", "upper_path", "x"), ConfigurationError, "tenant.upper_path, which is not a stored column"),
        (Put("job", "active", "no number"), IntegrityError, "does not take the rewritten value"),
        (Put("job", "active", "007"), IntegrityError, "keeps another one"),
    ],
)
def test_a_rule_that_cannot_be_applied_undoes_all(rule: Rule, kind: type[Exception], said: str, site: Any) -> None:
    with pytest.raises(kind, match=said):
        changed(site, Replace("tenant", "path", OLD, NEW), rule)
    assert site.run("SELECT path FROM tenant WHERE name = 'a'") == ((f"{OLD}/a",),)


def test_a_dry_run_shows_each_value_and_changes_nothing(site: Any) -> None:
    before = held(site)
    seen = preview(site.endpoint, ALL)
    assert held(site) == before
    lines = [str(change) for change in seen.changes]
    assert f"`tenant`.`path` where `name` = 'A2':\n  - '{OLD}/a'\n  + '{NEW}/a'" in lines
    assert "`job`.`state` where `id` = '9007199254740993':\n  - 'ACTIVE'\n  + 'PAUSED'" in lines
    assert "`job`.`flag` where `id` = '2':\n  - NULL\n  + '1'" in lines
    assert preview(site.endpoint, ALL).sha256 == seen.sha256


def test_what_was_seen_is_done_and_nothing_else(site: Any) -> None:
    seen = preview(site.endpoint, ALL)
    before = held(site)
    kept: list[Rewriting] = []
    site.run("UPDATE job SET state = 'ACTIVE' WHERE id = 2")
    with pytest.raises(PreconditionError, match="not the one that was reviewed"):
        rewrite(site.endpoint, ALL, keep=kept.append, seen=seen.sha256)
    site.run("UPDATE job SET state = 'GONE' WHERE id = 2")
    assert (held(site), kept) == (before, [])
    assert rewrite(site.endpoint, ALL, keep=kept.append, seen=seen.sha256) == seen
    assert kept == [seen]
    assert rewrite(site.endpoint, ALL, keep=kept.append).changes == ()
    assert len(kept) == 1


def test_undo_restores_every_value(site: Any) -> None:
    before = held(site)
    done = rewrite(site.endpoint, ALL, keep=lambda _: None)
    record = Rewriting.model_validate_json(done.model_dump_json())
    assert held(site) != before
    assert undo(site.endpoint, record) == len(done.changes) == 15
    assert held(site) == before


def test_undoing_twice_is_undoing_once(site: Any) -> None:
    before = held(site)
    rules = [rule for rule in ALL if rule.column != "name"]
    done = rewrite(site.endpoint, rules, keep=lambda _: None)
    undo(site.endpoint, done)
    assert undo(site.endpoint, done) == 0
    assert held(site) == before


def test_a_value_that_changed_since_stops_the_whole_undo(site: Any) -> None:
    done = rewrite(site.endpoint, ALL, keep=lambda _: None)
    site.run("UPDATE job SET state = 'RUNNING' WHERE id > 2", "DROP TABLE plain")
    after = [site.run(f"SELECT * FROM {table}") for table in ("tenant", "job")]
    with pytest.raises(IntegrityError, match=r"(?s)4 value.*`job`.`state` where .*9007199254740993") as caught:
        undo(site.endpoint, done)
    assert "Nothing was undone" in caught.value.fix
    assert [site.run(f"SELECT * FROM {table}") for table in ("tenant", "job")] == after


def test_what_cannot_be_kept_for_an_undo_is_not_done(site: Any) -> None:
    def refuse(_: Rewriting) -> None:
        raise OSError(28, "No space left on device")

    before = held(site)
    with pytest.raises(OSError, match="No space left"):
        rewrite(site.endpoint, ALL, keep=refuse)
    assert held(site) == before
