"""The columns of a schema, and SQL that searches and replaces in those which can hold text.

Text is compared character by character, with case, in whatever character set a column has; binary columns by the bytes
of UTF-8. A value counts in the form in which it stands, and in the forms that JSON gives it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from pymysql.cursors import Cursor

from incorta_provider.dr.sql_names import quote

_TEXT = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json", "enum", "set")
_BINARY = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")

_DONE = "\x01incorta-dr\x01"
"""Stands for what is rewritten already, inside one expression only."""


@dataclass(frozen=True, slots=True)
class Search:
    """A value of the other site that must not be left.

    :ivar own: this site's values.
    """

    name: str
    value: str
    own: Collection[str] = ()

    @property
    def allowed(self) -> list[str]:
        """The forms of this site's values that hold the other one's."""
        return [form for value in self.own if self.value in value for form in forms(value)]

    def is_in(self, text: str) -> bool:
        """Return whether a text holds the value."""
        for allowed in self.allowed:
            text = text.replace(allowed, _DONE)
        return any(form in text for form in forms(self.value))


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """One column, of whatever type: a text or binary one can be searched.

    :ivar kind: the type without its length, in lower case.
    :ivar kept: assignments that keep the columns of the same table which would record the time of a change.
    """

    table: str
    name: str
    kind: str
    generated: bool
    kept: tuple[str, ...] = ()

    @property
    def text(self) -> bool:
        """Whether it holds text."""
        return self.kind in _TEXT

    @property
    def binary(self) -> bool:
        """Whether it holds bytes."""
        return self.kind in _BINARY

    @property
    def place(self) -> str:
        """The column's full name."""
        return f"{quote(self.table)}.{quote(self.name)}"

    @property
    def value(self) -> str:
        """The expression of its value as text, or as bytes of a binary one."""
        name = parameterised(self.name)
        if self.text or self.binary:
            return name
        return f"CAST({name} + 0 AS CHAR)" if self.kind == "bit" else f"CAST({name} AS CHAR)"

    @property
    def mark(self) -> str:
        """What stands for a value, given as text or bytes, where the column takes one."""
        return "CAST(%s AS UNSIGNED)" if self.kind == "bit" else "%s"

    def exactly(self) -> str:
        """Return the condition that the column holds a value, byte by byte, which is its parameter."""
        mark = "CAST(%s AS BINARY)" if self.binary else "CAST(CONVERT(%s USING utf8mb4) AS BINARY)"
        text = f"CONVERT({self.value} USING utf8mb4)"
        return f"CAST({self.value if self.binary else text} AS BINARY) <=> {mark}"

    @property
    def searched(self) -> str:
        """The expression of its value in which texts are searched: in UTF-8, or the bytes of a binary one."""
        name = parameterised(self.name)
        return name if self.binary else f"CONVERT({name} USING utf8mb4) COLLATE utf8mb4_bin"

    @property
    def _mark(self) -> str:
        return "CAST(%s AS BINARY)" if self.binary else "CONVERT(%s USING utf8mb4) COLLATE utf8mb4_bin"

    def holds(self, search: Search) -> tuple[str, list[str]]:
        """Return the condition that a row holds the value, and its parameters."""
        text, values = self.searched, []
        for allowed in search.allowed:
            text = f"REPLACE({text}, {self._mark}, {self._mark})"
            values += [allowed, _DONE]
        wanted = forms(search.value)
        condition = " OR ".join(f"LOCATE({self._mark}, {text}) > 0" for _ in wanted)
        return f"({condition})", [parameter for form in wanted for parameter in (form, *values)]

    def replacing(self, before: str, after: str) -> tuple[str, list[str]]:
        """Return the expression of the column's new value, and its parameters; applied again, it changes nothing.

        Where the new value holds the old one, as ``/mnt/data`` holds ``/data``, what is new already is set aside first.
        """
        text: str = self.searched
        values: list[str] = []
        for old, new in dict.fromkeys(zip(_all_forms(before), _all_forms(after), strict=True)):
            steps = [(new, _DONE), (old, new), (_DONE, new)] if old in new else [(old, new)]
            for step in steps:
                text = f"REPLACE({text}, {self._mark}, {self._mark})"
                values += step
        return text, values


def forms(value: str) -> list[str]:
    r"""Return a value in each form in which a text may hold it: as it is, and inside a JSON string.

    >>> forms("http://x/")
    ['http://x/', 'http:\\/\\/x\\/']
    """
    return list(dict.fromkeys(_all_forms(value)))


def _all_forms(value: str) -> tuple[str, str, str]:
    escaped = json.dumps(value, ensure_ascii=False)[1:-1]
    return value, escaped, escaped.replace("/", "\\/")


def parameterised(name: str) -> str:
    """Return a quoted name for a query with parameters, in which the driver takes ``%`` for a mark."""
    return quote(name).replace("%", "%%")


def text_columns(cursor: Cursor) -> list[StoredColumn]:
    """Return the text and binary columns of all base tables of the cursor's schema, table by table."""
    return [column for column in all_columns(cursor) if column.text or column.binary]


def all_columns(cursor: Cursor) -> list[StoredColumn]:
    """Return the columns of all base tables of the cursor's schema, table by table."""
    cursor.execute(
        "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.GENERATION_EXPRESSION IS NOT NULL, c.EXTRA "
        "FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) "
        "WHERE c.TABLE_SCHEMA = DATABASE() AND BINARY c.TABLE_SCHEMA = BINARY DATABASE() "
        "AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY BINARY c.TABLE_NAME, c.ORDINAL_POSITION"
    )
    rows = list(cursor.fetchall())
    stamped: dict[str, list[str]] = {}
    for table, name, _, _, extra in rows:
        if "on update" in extra.lower():
            stamped.setdefault(table, []).append(f"{parameterised(name)} = {parameterised(name)}")
    return [
        StoredColumn(table, name, kind.lower(), bool(generated), tuple(stamped.get(table, ())))
        for table, name, kind, generated, _ in rows
    ]
