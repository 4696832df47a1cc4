from __future__ import annotations

from incorta_provider.dr.sql_names import quote, rename_schema


def test_a_backtick_is_doubled() -> None:
    assert quote("a`b") == "`a``b`"
    assert quote("") == "``"


def test_only_qualified_names_of_the_schema_are_renamed() -> None:
    text = "select `a`.`f`(`a`), '`b`.x' from `b`.`a`"
    assert rename_schema(text, "a", "n`ew") == "select `n``ew`.`f`(`a`), '`b`.x' from `b`.`a`"
