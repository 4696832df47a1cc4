"""What both engines mean the same by is told from what they do not, by the text that each prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.inventory import Table
from incorta_provider.dr.plain_table import NotPlainError, plain_table

OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci"


def table(*columns: str, indexes: str = "", constraint: str = "", options: str = OPTIONS) -> Table:
    return Table(
        engine="InnoDB",
        columns={f"c{number}": f"`c{number}` {text}" for number, text in enumerate(columns)},
        indexes={"i": indexes} if indexes else {},
        constraints={"k": constraint} if constraint else {},
        options=options,
        rows=0,
        checksum="0",
    )


@pytest.mark.parametrize(
    ("mariadb", "mysql"),
    [
        ("int(11) NOT NULL AUTO_INCREMENT", "int NOT NULL AUTO_INCREMENT"),
        ("bigint(20) unsigned DEFAULT 7", "bigint unsigned DEFAULT '7'"),
        ("tinyint(4) DEFAULT NULL", "tinyint DEFAULT NULL"),
        ("tinyint(1) NOT NULL DEFAULT 0", "tinyint(1) NOT NULL DEFAULT '0'"),
        ("year(4) DEFAULT NULL", "year DEFAULT NULL"),
        ("datetime DEFAULT current_timestamp()", "datetime DEFAULT CURRENT_TIMESTAMP"),
        (
            "timestamp(6) NOT NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6)",
            "timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
        ),
        ("varchar(9) DEFAULT NULL COMMENT 'it''s'", "varchar(9) DEFAULT NULL COMMENT 'it''s'"),
        ("text DEFAULT NULL", "text"),
        (
            "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`c0`))",
            "json DEFAULT NULL",
        ),
    ],
)
def test_two_spellings_mean_the_same(mariadb: str, mysql: str) -> None:
    one, other = plain_table(table(mariadb)), plain_table(table(mysql))
    assert one.same_as(other)
    assert one.create("t").replace("CHECK", "check").count("`c0`") == 1 + len(one.checks)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("int", "bigint"),
        ("int", "int unsigned"),
        ("tinyint", "tinyint(1)"),
        ("int", "int NOT NULL"),
        ("int DEFAULT 1", "int DEFAULT 2"),
        ("decimal(10,2)", "decimal(10,3)"),
        ("varchar(9)", "varchar(9) COLLATE utf8mb4_bin"),
        ("datetime", "datetime(6)"),
        ("varchar(9) COMMENT 'a'", "varchar(9)"),
        ("json", "longtext COLLATE utf8mb4_bin"),
    ],
)
def test_what_differs_is_not_the_same(one: str, other: str) -> None:
    assert not plain_table(table(one)).same_as(plain_table(table(other)))


@pytest.mark.parametrize(
    "column",
    [
        "geometry DEFAULT NULL",
        "float DEFAULT NULL",
        "vector(3) DEFAULT NULL",
        "uuid DEFAULT NULL",
        "int DEFAULT '7' /*!80023 INVISIBLE */",
        "int(11) INVISIBLE DEFAULT 7",
        "int GENERATED ALWAYS AS (`c1` * 2) VIRTUAL",
        "int(10) unsigned zerofill DEFAULT NULL",
        "varchar(9) DEFAULT (upper(_utf8mb4'x'))",
        "varchar(9) DEFAULT ucase('x')",
        "varchar(9) DEFAULT 'a\\\\b'",
        "varchar(9) COMMENT 'two\nlines'",
        "int CHECK (`c0` in ('a'))",
        "text CHARACTER SET cp932",
    ],
)
def test_a_column_that_the_engines_take_differently_is_refused(column: str) -> None:
    with pytest.raises(NotPlainError):
        plain_table(table(column))


@pytest.mark.parametrize(
    ("index", "constraint", "options"),
    [
        ("SPATIAL KEY `i` (`c0`)", "", OPTIONS),
        ("KEY `i` ((upper(`c0`)))", "", OPTIONS),
        ("KEY `i` (`c0`) /*!80000 INVISIBLE */", "", OPTIONS),
        ("FULLTEXT KEY `i` (`c0`) /*!50100 WITH PARSER `ngram` */ ", "", OPTIONS),
        ("", "CONSTRAINT `k` CHECK ((`c0` >= 0)) /*!80016 NOT ENFORCED */", OPTIONS),
        ("", "CONSTRAINT `k` CHECK (upper(`c0`) = 1)", OPTIONS),
        ("", "", f"{OPTIONS} ROW_FORMAT=COMPRESSED"),
        ("", "", f"{OPTIONS}\n PARTITION BY HASH (`c0`)"),
        ("", "", "ENGINE=InnoDB DEFAULT CHARSET=cp932"),
    ],
)
def test_other_parts_that_the_engines_take_differently_are_refused(index: str, constraint: str, options: str) -> None:
    with pytest.raises(NotPlainError):
        plain_table(table("int", indexes=index, constraint=constraint, options=options))


def test_a_check_may_be_bracketed_in_any_way() -> None:
    one = table("int", constraint="CONSTRAINT `k` CHECK (`c0` >= 0 and `c0` < 9)")
    other = table("int", constraint="CONSTRAINT `k` CHECK (((`c0` >= 0) and (`c0` < 9)))")
    assert plain_table(one).same_as(plain_table(other))
    different = table("int", constraint="CONSTRAINT `k` CHECK (`c0` >= 1 and `c0` < 9)")
    assert not plain_table(one).same_as(plain_table(different))


def test_collations_are_mapped_in_columns_and_table() -> None:
    source = plain_table(table("varchar(9)", "text COLLATE utf8mb4_bin", "int"))
    mapped = source.with_collations({"utf8mb4_unicode_ci": "utf8mb4_0900_ai_ci"})
    assert source.collations() == {"utf8mb4_unicode_ci", "utf8mb4_bin"}
    assert mapped.collations() == {"utf8mb4_0900_ai_ci", "utf8mb4_bin"}
    assert not mapped.same_as(source)


@given(st.text(alphabet=st.characters(exclude_characters="\n\\'", exclude_categories=["Cs"]), max_size=20))
def test_any_comment_survives(comment: str) -> None:
    text = f"ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='{comment}'"
    plain = plain_table(table("int", options=text))
    assert plain.create("t").endswith(f"CHARSET=latin1 COLLATE=latin1_swedish_ci COMMENT='{comment}'")
