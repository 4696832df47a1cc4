"""Names of database objects inside SQL text."""

from __future__ import annotations


def quote(name: str) -> str:
    """Return a name as an identifier: in backticks, a backtick inside it doubled.

    >>> quote("odd`name")
    '`odd``name`'
    """
    return "`" + name.replace("`", "``") + "`"


def rename_schema(definition: str, old: str, new: str) -> str:
    """Return a definition whose qualified names point to another schema.

    Servers print a view without its own schema's name, except in front of a function that its author qualified.

    >>> rename_schema("select `incorta`.`f`(`t`.`id`) from `t`", "incorta", "copy")
    'select `copy`.`f`(`t`.`id`) from `t`'
    """
    return definition.replace(f"{quote(old)}.", f"{quote(new)}.")
