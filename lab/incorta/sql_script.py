"""Runs an SQL script the way the ``mariadb`` client does, ``DELIMITER`` lines included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lab.incorta.database import Session

SCHEMA_FILE = Path(__file__).with_name("schema.sql")
_CREATE = re.compile(r"^CREATE (?:TABLE|VIEW|FUNCTION|PROCEDURE|TRIGGER|EVENT) (\w+)", re.MULTILINE)


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; each must end at the end of a line."""
    delimiter = ";"
    lines: list[str] = []
    for line in script.splitlines():
        text = line.strip()
        if text.upper().startswith("DELIMITER "):
            delimiter = text.split()[1]
        elif lines or (text and not text.startswith("--")):
            lines.append(line)
            if text.endswith(delimiter):
                yield "\n".join(lines).strip().removesuffix(delimiter)
                lines = []
    if lines:
        raise ValueError(f"the script ends within a statement: {lines[0]!r}")


def run_script(session: Session, script: str) -> int:
    """Run every statement and return how many there were."""
    count = 0
    with session.cursor() as cursor:
        for count, statement in enumerate(statements(script), start=1):  # noqa: B007 - returned
            cursor.execute(statement)
    return count


def object_names(script: str) -> frozenset[str]:
    """Return the names of all tables, views, routines, triggers and events that a script creates."""
    return frozenset(_CREATE.findall(script))
