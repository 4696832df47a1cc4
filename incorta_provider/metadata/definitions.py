"""Reads the definitions of everything in a schema: what is there, whatever the rows are.

Schema names are compared byte by byte: the information schema by itself does not tell ``Incorta`` from ``incorta``.

:raises PreconditionError: the schema holds a table that no consistent dump can be made of.
:raises ConfigurationError: the account may not see a definition, or the schema is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pymysql.cursors import DictCursor

from incorta_provider.dr.definers import replace_definer, with_account
from incorta_provider.dr.inventory import Code, Event, Inventory, Server, Table
from incorta_provider.dr.sql_names import quote
from incorta_provider.exceptions import ConfigurationError, PreconditionError
from incorta_provider.metadata.checksum import Column, Measure
from incorta_provider.metadata.ddl import TableText, create_trigger, encoded, split_table, switched_off, trigger_body
from incorta_provider.metadata.endpoint import Session
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.engines.engine import Engine

_Code = TypeVar("_Code", bound=Code)


@dataclass(frozen=True, slots=True)
class Definitions:
    """All definitions of one schema; equal when nothing was redefined in between.

    :ivar columns: what a checksum reads, by table; the largest table first.
    :ivar marks: ids and times which change when an object is made again as it was.
    """

    server: Server
    schema_name: str
    character_set: str
    collation: str
    tables: dict[str, TableText]
    engines: dict[str, str]
    columns: dict[str, list[Column]]
    views: dict[str, Code]
    routines: dict[str, Code]
    triggers: dict[str, Code]
    events: dict[str, Event]
    marks: frozenset[tuple[str, str, str]]

    def with_definers(self, rules: Mapping[str, str]) -> Definitions:
        """Return these definitions with other definers; see :func:`~incorta_provider.dr.definers.replace_definer`."""

        def ruled(code: _Code) -> _Code:
            return code.model_copy(update={"definition": replace_definer(code.definition, rules)})

        return replace(
            self,
            views={name: ruled(code) for name, code in self.views.items()},
            routines={name: ruled(code) for name, code in self.routines.items()},
            triggers={name: ruled(code) for name, code in self.triggers.items()},
            events={name: ruled(event) for name, event in self.events.items()},
        )

    def secured(self, rules: Mapping[str, str]) -> dict[bytes, bytes]:
        """Return the routines that the rules give the rights of who uses them: with other accounts alone, and wholly.

        Both as a dump client writes them.
        """
        both = {
            encoded(code, with_account(code.definition, rules)): encoded(code, replace_definer(code.definition, rules))
            for code in self.routines.values()
        }
        return {before: after for before, after in both.items() if before != after}

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield every definition with the kind and name of its object."""
        for name, table in self.tables.items():
            parts = (*table.columns.values(), *table.constraints.values(), table.options)
            yield f"table {quote(name)}", "\n".join(parts)
        for kind in ("views", "routines", "triggers", "events"):
            for name, code in getattr(self, kind).items():
                yield f"{kind[:-1]} {quote(name)}", code.definition

    def inventory(self, measures: dict[str, Measure], position: str = "", gtid: str = "") -> Inventory:
        """Add what was counted, and the position where it was."""
        tables = {
            name: Table(
                engine=self.engines[name],
                columns=text.columns,
                indexes=text.indexes,
                constraints=text.constraints,
                options=text.options,
                rows=measures[name].rows,
                checksum=measures[name].checksum,
            )
            for name, text in self.tables.items()
        }
        return Inventory(
            server=self.server,
            schema_name=self.schema_name,
            character_set=self.character_set,
            collation=self.collation,
            position=position,
            gtid=gtid,
            tables=tables,
            views=self.views,
            routines=self.routines,
            triggers=self.triggers,
            events=self.events,
        )


def read_definitions(session: Session) -> Definitions:
    """Read everything of the session's own schema."""
    reader = _Reader(session)
    engine = reader.engine
    by_size = reader.table_names()
    columns = reader.columns()
    names = sorted(by_size)
    schema = reader.schema()
    return Definitions(
        server=read_server(session),
        schema_name=schema["SCHEMA_NAME"],
        character_set=schema["DEFAULT_CHARACTER_SET_NAME"],
        collation=schema["DEFAULT_COLLATION_NAME"],
        tables={name: reader.table(name, engine) for name in names},
        engines=dict.fromkeys(names, "InnoDB"),
        columns={name: columns.get(name, []) for name in by_size},
        views=reader.views(),
        routines=reader.routines(),
        triggers=reader.triggers(),
        events=reader.events(),
        marks=reader.marks(),
    )


@dataclass(frozen=True, slots=True)
class CodeTexts:
    """The objects of a schema that are text and hold no rows."""

    views: dict[str, Code]
    routines: dict[str, Code]
    triggers: dict[str, Code]
    events: dict[str, Event]


def read_events(session: Session) -> dict[str, Event]:
    """Read the events of the session's own schema."""
    return _Reader(session).events()


def read_code(session: Session) -> CodeTexts:
    """Read all but the tables of the session's own schema, which may be of any engine, and its views invalid."""
    reader = _Reader(session)
    return CodeTexts(reader.views(), reader.routines(), reader.triggers(), reader.events())


def read_server(session: Session) -> Server:
    """Return the facts of the session's server."""
    (row,) = _rows(
        session,
        "SELECT VERSION() AS version, @@GLOBAL.sql_mode AS sql_mode, @@character_set_server AS character_set, "
        "@@collation_server AS collation, @@GLOBAL.time_zone AS time_zone, "
        "@@lower_case_table_names AS lower_case_table_names",
    )
    return Server(**row)


def _rows(session: Session, query: str) -> list[dict[str, Any]]:
    with session.cursor(DictCursor) as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class _Reader:
    session: Session

    @property
    def engine(self) -> Engine:
        return engine_of(self.session)

    def rows(self, query: str) -> list[dict[str, Any]]:
        return _rows(self.session, query)

    def shown(self, kind: str, name: str) -> dict[str, Any]:
        (row,) = self.rows(f"SHOW CREATE {kind} {quote(name)}")
        return row

    def schema(self) -> dict[str, Any]:
        rows = self.rows(
            "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
            "WHERE SCHEMA_NAME = DATABASE() AND BINARY SCHEMA_NAME = BINARY DATABASE()"
        )
        if not rows:
            raise ConfigurationError(
                "the schema was dropped while it was read", where="metadata schema", fix="Find out who dropped it."
            )
        return rows[0]

    def table(self, name: str, engine: Engine) -> TableText:
        text = split_table(self.shown("TABLE", name)["Create Table"])
        text.columns = {column: engine.normal_column(definition) for column, definition in text.columns.items()}
        return text

    def table_names(self) -> list[str]:
        """Return the base tables, the largest first; refuse what is neither an InnoDB table nor a view."""
        tables = self.rows(
            "SELECT TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES "
            "WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_SCHEMA = BINARY DATABASE() "
            "ORDER BY DATA_LENGTH DESC, BINARY TABLE_NAME"
        )
        _refuse_unsafe(tables)
        return [table["TABLE_NAME"] for table in tables if table["TABLE_TYPE"] == "BASE TABLE"]

    def columns(self) -> dict[str, list[Column]]:
        """Return the columns of every table and view, in their order."""
        found: dict[str, list[Column]] = {}
        for row in self.rows(
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE, GENERATION_EXPRESSION "
            "FROM information_schema.COLUMNS "
            "WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_SCHEMA = BINARY DATABASE() "
            "ORDER BY ORDINAL_POSITION"
        ):
            column = Column(
                name=row["COLUMN_NAME"],
                kind=row["DATA_TYPE"].lower(),
                nullable=row["IS_NULLABLE"] == "YES",
                expression=row["GENERATION_EXPRESSION"] or "",
            )
            found.setdefault(row["TABLE_NAME"], []).append(column)
        return found

    def views(self) -> dict[str, Code]:
        names = self.rows(
            "SELECT TABLE_NAME FROM information_schema.VIEWS "
            "WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_SCHEMA = BINARY DATABASE() ORDER BY BINARY TABLE_NAME"
        )
        found = {}
        for name in (row["TABLE_NAME"] for row in names):
            row = self.shown("VIEW", name)
            found[name] = Code(definition=row["Create View"], settings=_settings(row))
        return found

    def routines(self) -> dict[str, Code]:
        rows = self.rows(
            "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() "
            "AND BINARY ROUTINE_SCHEMA = BINARY DATABASE() ORDER BY ROUTINE_TYPE, BINARY ROUTINE_NAME"
        )
        found = {}
        for kind, name in ((row["ROUTINE_TYPE"], row["ROUTINE_NAME"]) for row in rows):
            row = self.shown(kind, name)
            definition = row[f"Create {kind.capitalize()}"]
            if definition is None:
                raise ConfigurationError(
                    f"the account may not read {kind.lower()} {quote(name)}",
                    where="metadata schema",
                    fix=f"Grant it {self.engine.routine_right}.",
                )
            found[f"{kind} {name}"] = Code(definition=definition, settings=_settings(row))
        return found

    def triggers(self) -> dict[str, Code]:
        """Return the triggers in the order in which they run."""
        rows = self.rows(
            "SELECT * FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() "
            "AND BINARY TRIGGER_SCHEMA = BINARY DATABASE() ORDER BY BINARY EVENT_OBJECT_TABLE, ACTION_TIMING, "
            "EVENT_MANIPULATION, ACTION_ORDER"
        )
        found = {}
        for row in rows:
            definition = create_trigger(
                row["DEFINER"],
                row["TRIGGER_NAME"],
                row["EVENT_OBJECT_TABLE"],
                f"{row['ACTION_TIMING']} {row['EVENT_MANIPULATION']}",
                trigger_body(self.shown("TRIGGER", row["TRIGGER_NAME"])["SQL Original Statement"]),
            )
            order = {"action_order": str(row["ACTION_ORDER"])}
            found[row["TRIGGER_NAME"]] = Code(definition=definition, settings={**_settings(row), **order})
        return found

    def events(self) -> dict[str, Event]:
        rows = self.rows(
            "SELECT EVENT_NAME, STATUS, UNIX_TIMESTAMP(CREATED) AS CREATED FROM information_schema.EVENTS "
            "WHERE EVENT_SCHEMA = DATABASE() AND BINARY EVENT_SCHEMA = BINARY DATABASE() ORDER BY BINARY EVENT_NAME"
        )
        found = {}
        for listed in rows:
            name = listed["EVENT_NAME"]
            row = self.shown("EVENT", name)
            found[name] = Event(
                definition=switched_off(row["Create Event"], name),
                settings={**_settings(row), "created": str(listed["CREATED"])},
                status=listed["STATUS"],
            )
        return found

    def marks(self) -> frozenset[tuple[str, str, str]]:
        """Return what tells an object from another of the same name and definition.

        InnoDB gives a table another id whenever it is truncated, rebuilt or made again. The time of creation is that of
        the definition file, which every other ALTER writes too.
        """
        rows = self.rows(self.engine.table_marks) + self.rows(
            "SELECT 'file' AS kind, TABLE_NAME AS name, CREATE_TIME AS mark FROM information_schema.TABLES "
            "WHERE TABLE_SCHEMA = DATABASE() "
            "UNION ALL SELECT 'trigger', TRIGGER_NAME, CREATED FROM information_schema.TRIGGERS "
            "WHERE TRIGGER_SCHEMA = DATABASE() "
            "UNION ALL SELECT ROUTINE_TYPE, ROUTINE_NAME, CONCAT(CREATED, LAST_ALTERED) "
            "FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() "
            "UNION ALL SELECT 'event', EVENT_NAME, CREATED FROM information_schema.EVENTS "
            "WHERE EVENT_SCHEMA = DATABASE()"
        )
        return frozenset((row["kind"], row["name"], str(row["mark"])) for row in rows)


_KEPT_SETTINGS = ("sql_mode", "time_zone", "character_set_client", "collation_connection", "database_collation")


def _settings(row: dict[str, Any]) -> dict[str, str]:
    """Return the settings that a row of ``SHOW CREATE`` or of the information schema holds."""
    named = {key.lower().replace(" ", "_"): value for key, value in row.items()}
    return {key: str(named[key]) for key in _KEPT_SETTINGS if named.get(key) is not None}


def _refuse_unsafe(tables: list[dict[str, Any]]) -> None:
    """Refuse what a snapshot does not cover: tables of other engines, sequences, tables with history."""
    unsafe = [
        f"{quote(table['TABLE_NAME'])} ({table['ENGINE'] or 'no engine'}, {table['TABLE_TYPE'].lower()})"
        for table in tables
        if table["TABLE_TYPE"] != "VIEW" and (table["TABLE_TYPE"], table["ENGINE"]) != ("BASE TABLE", "InnoDB")
    ]
    if unsafe:
        raise PreconditionError(
            f"no consistent snapshot can be made of {len(unsafe)} table(s): {', '.join(unsafe)}",
            where="metadata schema",
            fix="Convert each with ALTER TABLE … ENGINE=InnoDB, or move it out of the schema.",
        )
