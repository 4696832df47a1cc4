"""A table in terms of neither engine: only what means the same to MariaDB and MySQL.

Made from the text of ``SHOW CREATE TABLE``. What is not known here to mean the same on both is refused, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from incorta_provider.dr.inventory import Table
from incorta_provider.dr.sql_names import quote

DEFAULT_COLLATIONS = {
    "utf8mb4": "utf8mb4_general_ci",
    "utf8mb3": "utf8mb3_general_ci",
    "latin1": "latin1_swedish_ci",
    "ascii": "ascii_general_ci",
    "ucs2": "ucs2_general_ci",
    "utf16": "utf16_general_ci",
    "utf32": "utf32_general_ci",
    "binary": "binary",
}
"""What a server leaves out after the character set. One whose default for utf8mb4 is another names it always."""

_NAME = r"`(?:[^`\n]|``)*`"
_TEXT = r"'(?:[^'\\\n]|'')*'"
_NUMBERS = "tinyint|smallint|mediumint|int|bigint|decimal|double|bit|year"
"""Without FLOAT: each server prints its digits in another way, so no checksum would show it equal."""
_TIMES = "date|datetime|timestamp|time"
_TEXTS = "char|varchar|tinytext|text|mediumtext|longtext|enum|set"
_BYTES = "binary|varbinary|tinyblob|blob|mediumblob|longblob"
_NOW = r"(?i:current_timestamp)(?:\((?:\d)?\))?"
_COLUMN = re.compile(
    rf"{_NAME} (?P<type>(?:{_NUMBERS}|{_TIMES}|{_TEXTS}|{_BYTES}|json)\b)(?P<size>\((?:[\d,]+|{_TEXT}(?:,{_TEXT})*)\))?"
    r"(?P<unsigned> unsigned)?(?: CHARACTER SET (?P<charset>\w+))?(?: COLLATE (?P<collation>\w+))?"
    rf"(?P<null> NOT NULL| NULL)?(?: DEFAULT (?P<default>{_TEXT}|b'[01]*'|-?[\d.]+|NULL|{_NOW}))?"
    rf"(?: ON UPDATE (?P<update>{_NOW}))?(?P<auto> AUTO_INCREMENT)?(?: COMMENT (?P<comment>{_TEXT}))?"
    r"(?: CHECK \((?P<check>[^']*)\))?"
)
_PARTS = rf"\({_NAME}(?:\(\d+\))?(?: DESC)?(?:,{_NAME}(?:\(\d+\))?(?: DESC)?)*\)"
_INDEX = re.compile(rf"(?:PRIMARY KEY|(?:UNIQUE |FULLTEXT )?KEY {_NAME}) {_PARTS}")
_FOREIGN = re.compile(
    rf"CONSTRAINT {_NAME} FOREIGN KEY \({_NAME}(?:, {_NAME})*\) REFERENCES {_NAME} \({_NAME}(?:, {_NAME})*\)"
    r"(?: ON (?:DELETE|UPDATE) (?:CASCADE|SET NULL|RESTRICT|NO ACTION))*"
)
_NO_RULE = re.compile(r" ON (?:DELETE|UPDATE) (?:RESTRICT|NO ACTION)")
_CHECK = re.compile(rf"CONSTRAINT {_NAME} CHECK \((?P<check>[^']*)\)")
_PLAIN_CHECK = re.compile(
    rf"(?:{_NAME}|\d+(?:\.\d+)?|[<>=!]+|[()+,-]|\b(?:and|or|not|is|null|between|in|json_valid)\b|\s)+"
)
_OPTIONS = re.compile(
    rf"ENGINE=InnoDB DEFAULT CHARSET=(?P<charset>\w+)(?: COLLATE=(?P<collation>\w+))?(?: COMMENT=(?P<comment>{_TEXT}))?"
)


class NotPlainError(ValueError):
    """What of a table has no exact counterpart on the other engine."""


@dataclass(frozen=True, slots=True)
class PlainColumn:
    """One column.

    :ivar type: with its size, without the width in which a number is shown; but drivers take tinyint(1) for a truth.
    :ivar collation: of text, else empty.
    :ivar default: as it is written after ``DEFAULT``; empty when there is none, or NULL.
    """

    type: str
    collation: str
    nullable: bool
    default: str
    on_update: str
    auto: bool
    comment: str

    def definition(self, name: str) -> str:
        """Return the column as either engine takes it."""
        charset = self.collation.partition("_")[0]
        parts = [quote(name), self.type, f"CHARACTER SET {charset} COLLATE {self.collation}" if charset else ""]
        parts += ["NULL" if self.nullable else "NOT NULL", f"DEFAULT {self.default}" if self.default else ""]
        parts += [f"ON UPDATE {self.on_update}" if self.on_update else "", "AUTO_INCREMENT" if self.auto else ""]
        return " ".join(filter(None, [*parts, f"COMMENT {self.comment}" if self.comment else ""]))


@dataclass(frozen=True, slots=True)
class PlainTable:
    """One table; two that are equal mean the same on both engines.

    :ivar checks: each without its brackets and blanks, which every engine sets as it likes.
    :ivar check_texts: as they were written, to make them again.
    """

    columns: Mapping[str, PlainColumn]
    indexes: Mapping[str, str]
    foreign_keys: Mapping[str, str]
    checks: frozenset[str]
    check_texts: tuple[str, ...]
    collation: str
    comment: str

    def same_as(self, other: PlainTable) -> bool:
        """Return whether both mean the same."""
        mine, others = (replace(table, check_texts=()) for table in (self, other))
        return mine == others and list(self.columns) == list(other.columns)

    def with_collations(self, names: Mapping[str, str]) -> PlainTable:
        """Return the table with other collations in place of those that have one in ``names``."""
        columns = {
            name: replace(column, collation=names.get(column.collation, column.collation))
            for name, column in self.columns.items()
        }
        return replace(self, columns=columns, collation=names.get(self.collation, self.collation))

    def collations(self) -> set[str]:
        """Return all that are named."""
        return {self.collation, *(column.collation for column in self.columns.values())} - {""}

    def create(self, name: str) -> str:
        """Return the statement that makes the table, on either engine."""
        items = [column.definition(each) for each, column in self.columns.items()]
        items += [*self.indexes.values(), *self.foreign_keys.values(), *self.check_texts]
        charset, comment = self.collation.partition("_")[0], f" COMMENT={self.comment}" if self.comment else ""
        body = ",\n  ".join(items)
        return (
            f"CREATE TABLE {quote(name)} (\n  {body}\n) "
            f"ENGINE=InnoDB DEFAULT CHARSET={charset} COLLATE={self.collation}{comment}"
        )


def plain_table(table: Table) -> PlainTable:
    """Return what a table means.

    :raises NotPlainError: names the first part that has no exact counterpart.
    """
    options = _OPTIONS.fullmatch(table.options)
    if not options:
        raise NotPlainError(f"its options: {table.options}")
    default = _collation(options["charset"], options["collation"])
    checks: list[str] = []
    columns = {name: _column(text, default, checks) for name, text in table.columns.items()}
    indexes = {name: _known(_INDEX, text) for name, text in table.indexes.items()}
    foreign: dict[str, str] = {}
    for name, text in table.constraints.items():
        if check := _CHECK.fullmatch(text):
            checks.append(_plain_check(check["check"], text))
        else:
            foreign[name] = _NO_RULE.sub("", _known(_FOREIGN, text))
    return PlainTable(
        columns=columns,
        indexes=indexes,
        foreign_keys=foreign,
        checks=frozenset(map(_bare, checks)),
        check_texts=tuple(f"CHECK ({check})" for check in checks),
        collation=default,
        comment=options["comment"] or "",
    )


def _column(text: str, table_collation: str, checks: list[str]) -> PlainColumn:
    found = _COLUMN.fullmatch(text)
    if not found:
        raise NotPlainError(f"column {text}")
    kind, size = found["type"], found["size"] or ""
    if kind in _NUMBERS.split("|") and kind not in ("decimal", "bit"):
        size = size if kind == "double" or (kind, size) == ("tinyint", "(1)") else ""
    check = found["check"]
    if kind == "json":
        kind, collation, check = "longtext", "utf8mb4_bin", f"json_valid({text[: text.index(' json')]})"
    elif kind in _TEXTS.split("|"):
        given = found["collation"]
        collation = given or (_collation(found["charset"], None) if found["charset"] else table_collation)
    else:
        collation = ""
    if check:
        checks.append(_plain_check(check, text))
    return PlainColumn(
        type=f"{kind}{size}{found['unsigned'] or ''}",
        collation=collation,
        nullable=found["null"] != " NOT NULL",
        default=_default(found["default"]),
        on_update=_default(found["update"]),
        auto=bool(found["auto"]),
        comment=found["comment"] or "",
    )


def _default(text: str | None) -> str:
    """Return a default in one spelling: a moment in capitals, a literal in quotes, for so every type takes it."""
    if text is None or text == "NULL":
        return ""
    if re.fullmatch(_NOW, text):
        return text.upper().removesuffix("()")
    return text if text.endswith("'") else f"'{text}'"


def _collation(charset: str, collation: str | None) -> str:
    found = collation or DEFAULT_COLLATIONS.get(charset)
    if not found:
        raise NotPlainError(f"character set {charset}")
    return found


def _known(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise NotPlainError(text)
    return text


def _plain_check(check: str, text: str) -> str:
    if not _PLAIN_CHECK.fullmatch(check):
        raise NotPlainError(text)
    return check


def _bare(check: str) -> str:
    """Return a check without brackets and blanks, but for those within names."""
    return "".join(part for part in re.findall(rf"{_NAME}|[^\s()`]+", check))
