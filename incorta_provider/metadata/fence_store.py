"""Keeps the mark of a fence at the fenced server, in a schema of its own."""

from __future__ import annotations

import pymysql
from pydantic import ValidationError

from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.engines.engine import Session
from incorta_provider.metadata.errors import number_of

_PLACE = "`_dr_fence`.`fence`"
_READ = "SELECT mark FROM `_dr_fence`.`fence` WHERE name = %s"
_MAKE = (
    "CREATE DATABASE IF NOT EXISTS `_dr_fence`",
    "CREATE TABLE IF NOT EXISTS `_dr_fence`.`fence` (name VARBINARY(256) PRIMARY KEY, mark LONGBLOB NOT NULL) "
    "ENGINE = InnoDB",
)
_WRITE = "REPLACE INTO `_dr_fence`.`fence` VALUES (%s, %s)"
_REMOVE = "DELETE FROM `_dr_fence`.`fence` WHERE name = %s"
_ANY = "SELECT 1 FROM `_dr_fence`.`fence` LIMIT 1"
_ABSENT = (1049, 1146)


def read_mark(session: Session, schema: str) -> FenceMark | None:
    """Return the mark of a schema; None when it is not fenced.

    :raises IntegrityError: what stands there is no mark of ours.
    """
    with session.cursor() as cursor:
        try:
            cursor.execute(_READ, (schema.encode(),))
        except pymysql.MySQLError as error:
            if number_of(error) in _ABSENT:
                return None
            raise
        row = cursor.fetchone()
    try:
        return FenceMark.model_validate_json(row[0]) if row else None
    except ValidationError:
        raise IntegrityError(
            "this is not the mark of a fence",
            where=f"{_PLACE}, schema {schema}",
            fix="Find out who wrote it; accounts, events and read_only of this server must be checked by hand.",
        ) from None


def write_mark(session: Session, schema: str, mark: FenceMark) -> None:
    """Keep the mark of a schema, in place of a former one."""
    with session.cursor() as cursor:
        for statement in _MAKE:
            cursor.execute(statement)
        cursor.execute(_WRITE, (schema.encode(), mark.model_dump_json().encode()))


def remove_mark(session: Session, schema: str) -> None:
    """Forget the mark of a schema, and the place of marks with the last one."""
    with session.cursor() as cursor:
        cursor.execute(_REMOVE, (schema.encode(),))
        if not cursor.execute(_ANY):
            cursor.execute("DROP DATABASE `_dr_fence`")
