"""The switch of one schema for another: what is recorded of it, and which tables move.

Tables move by renames between three schemas: the *live* one, whose name Incorta knows; *next*, into which a recovery
point is loaded beside it; and *previous*, which keeps what was live. Everything else that a schema holds is text, and
is made again from the record. Pure: carried out by :mod:`incorta_provider.metadata.switch`.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Literal

from pydantic import Field

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.dr.inventory import Code, Event, Inventory
from incorta_provider.dr.sql_names import quote, rename_schema


class Stage(StrEnum):
    """How far a switch is.

    It goes down this list to ``SWITCHED``; a failure on the way takes it back to ``COMPARED`` or ``LOADING``.
    ``REDOING`` takes back what was changed since, to load it again; ``RETURNING`` takes it back for good.
    """

    LOADING = "loading"
    COMPARED = "compared"
    SWITCHING = "switching"
    SWITCHED = "switched"
    REDOING = "redoing"
    RETURNING = "returning"
    RETURNED = "returned"
    COMMITTED = "committed"


class Holdings(FrozenModel):
    """What a schema holds, without rows: enough to take it apart and to make it again around its tables.

    :ivar tables: the names of all that a rename moves: base tables of every engine, and sequences.
    """

    character_set: str
    collation: str
    tables: tuple[str, ...]
    views: dict[str, Code]
    routines: dict[str, Code]
    triggers: dict[str, Code]
    events: dict[str, Event]

    @classmethod
    def of(cls, inventory: Inventory, schema: str) -> Holdings:
        """Return what a schema holds once an inventory was restored to it.

        :param schema: its name there.
        """
        views = {
            name: code.model_copy(update={"definition": rename_schema(code.definition, inventory.schema_name, schema)})
            for name, code in inventory.views.items()
        }
        return cls(
            character_set=inventory.character_set,
            collation=inventory.collation,
            tables=tuple(inventory.tables),
            views=views,
            routines=inventory.routines,
            triggers=inventory.triggers,
            events=inventory.events,
        )

    def without(self, kept: Collection[str]) -> Holdings:
        """Return the same without some views and routines.

        :param kept: by kind and name, as in ``VIEW v``.
        """
        views = {name: view for name, view in self.views.items() if f"VIEW {name}" not in kept}
        routines = {name: routine for name, routine in self.routines.items() if name not in kept}
        return self.model_copy(update={"views": views, "routines": routines})


class Switch(FrozenModel):
    """The record of one switch, written before what it names is done.

    :ivar live: the name of the live schema; ``next`` and ``previous`` likewise.
    :ivar sha256: of the dump that is loaded.
    :ivar before: what the live schema held; None while it is not known, or when there was no such schema.
    :ivar tables: the tables of the recovery point, once they are compared.
    :ivar window_seconds: how long the live schema was not whole.
    """

    format: Literal[1] = 1
    stage: Stage
    live: str
    next: str
    previous: str
    sha256: str
    before: Holdings | None = None
    tables: tuple[str, ...] = ()
    window_seconds: float | None = Field(default=None, ge=0)

    def at(self, stage: Stage, **changes: object) -> Switch:
        """Return the record of another stage."""
        return Switch.model_validate({**dict(self), "stage": stage, **changes})


Move = tuple[tuple[str, str], tuple[str, str]]
"""Schema and name of a table before and after a rename."""


def moves(
    *, live: str, found: Collection[str], aside: str, source: str, waiting: Collection[str], wanted: Collection[str]
) -> list[Move]:
    """Return the renames that make the tables of ``source`` the live ones and put those that are there aside.

    Right at any point between two renames too: a table that is wanted and waits no more is at its place already. So a
    server that moves several tables in one statement, but not as one, is served as well.

    :param found: what is live now.
    :param aside: the schema that takes what is displaced.
    :param waiting: what ``source`` holds now.
    :param wanted: all that is to be live in the end.

    >>> moves(live="l", found=["t"], aside="p", source="n", waiting=["t"], wanted=["t"])
    [(('l', 't'), ('p', 't')), (('n', 't'), ('l', 't'))]
    >>> moves(live="l", found=["t"], aside="p", source="n", waiting=[], wanted=["t"])
    []
    """
    placed = set(wanted) - set(waiting)
    displaced = sorted(set(found) - placed)
    brought = sorted(set(waiting) & set(wanted))
    return [((live, name), (aside, name)) for name in displaced] + [((source, name), (live, name)) for name in brought]


def rename_statement(renames: Collection[Move]) -> str:
    """Return one statement for all renames: the server does all of them or none, and nobody sees it in between.

    MariaDB manual, *Atomic DDL* (10.6 and later); MySQL manual, *RENAME TABLE Statement* (8.0).

    >>> rename_statement([(("a", "t"), ("b", "t"))])
    'RENAME TABLE `a`.`t` TO `b`.`t`'
    """
    pairs = (f"{_qualified(before)} TO {_qualified(after)}" for before, after in renames)
    return f"RENAME TABLE {', '.join(pairs)}"


def _qualified(place: tuple[str, str]) -> str:
    return ".".join(map(quote, place))
