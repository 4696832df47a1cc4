from __future__ import annotations

import pytest

from incorta_provider.metadata.text_columns import Search, StoredColumn, forms, parameterised


def test_a_value_has_the_forms_that_json_gives_it() -> None:
    assert forms("plain") == ["plain"]
    assert forms("/a") == ["/a", "\\/a"]
    assert forms('"q"\\') == ['"q"\\', '\\"q\\"\\\\']
    assert forms("Größe 😀") == ["Größe 😀"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x /data y", True),
        ("x \\/data y", True),
        ("/mnt/data", False),
        ("\\/mnt\\/data", False),
        ("/mnt/data and /data", True),
        ("/DATA", False),
        ("", False),
    ],
)
def test_a_value_of_this_site_does_not_count(text: str, found: bool) -> None:
    assert Search("path", "/data", ["/mnt/data", "unrelated"]).is_in(text) is found


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("before", "after"), [("/data", "/mnt/data"), ("a", "b"), ("http://a/", "http://b/")])
def test_each_expression_has_as_many_parameters_as_marks(binary: bool, before: str, after: str) -> None:
    column = StoredColumn("t", "c %s", "blob" if binary else "text", generated=False)
    for expression, values in (
        column.replacing(before, after),
        column.holds(Search("n", before, [after])),
    ):
        assert expression.replace("%%", "").count("%s") == len(values)


def test_a_percent_sign_in_a_name_is_no_mark() -> None:
    assert parameterised("a%s`") == "`a%%s```"
