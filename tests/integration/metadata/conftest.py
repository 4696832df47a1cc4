"""Two sites of one protection group as the provider sees them: same schema, an account with just the listed rights."""

from __future__ import annotations

import hashlib
import itertools
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest
from pymysql.cursors import Cursor

from incorta_provider.dr.inventory import Inventory
from incorta_provider.metadata import rights
from incorta_provider.metadata.archive import read_archive
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.prove import read_inventory
from lab.servers.mariadb import MariaDb
from lab.testbed import Pair

USER, PASSWORD = "dr_reader", f"p a\tö€{string.punctuation}"
TEXTS = (
    "",
    " ",
    "\t",
    "a\tb\nc\r\nd",
    "\\",
    "\\N",
    "NULL",
    "'\"`",
    "\\'",
    "a\\",
    "\x00\x1a\x7f",
    "😀👨‍👩‍👧 𝄞 é",
    "%s %(x)s",
    "#1#",
)
"""Each is a value that a text format has been known to lose."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """One site: what the provider has of it, and the lab's own way in."""

    server: MariaDb
    endpoint: Endpoint

    def run(self, *statements: str) -> tuple[tuple[object, ...], ...]:
        """Run statements as root in the schema; return the rows of the last."""
        with self.server.connect(self.endpoint.schema) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES,STRICT_TRANS_TABLES'")
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())

    def schemas(self) -> set[str]:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES")
            return {str(name) for (name,) in cursor.fetchall()}

    def beside(self) -> list[str]:
        """Return the schemas that restores keep beside the live one."""
        return sorted(name for name in self.schemas() if name.startswith(rights.BESIDE_PREFIX))


@pytest.fixture
def places(mariadb_pair: Pair[MariaDb]) -> Iterator[Pair[Place]]:
    """An empty schema at both sites, dropped afterwards."""
    schema = f"meta_{next(_numbers)}"
    made = Pair(*(made_place(server, schema) for server in mariadb_pair))
    yield made
    for place in made:
        removed_place(place)


def removed_place(place: Place) -> None:
    """Drop the schema, those that restores kept beside it, and the account."""
    with place.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION lock_wait_timeout = 20")  # a test that failed may have left a transaction open
        for schema in (place.endpoint.schema, *place.beside()):
            cursor.execute(f"DROP DATABASE IF EXISTS `{schema}`")
        cursor.execute(f"DROP USER IF EXISTS '{USER}'@'127.0.0.1'")


def made_place(server: MariaDb, schema: str) -> Place:
    """Make an empty schema and the provider's account."""
    endpoint = Endpoint(server.host, server.port, USER, PASSWORD, schema, server.site_name)
    account = f"'{USER}'@'127.0.0.1'"
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE USER {account} IDENTIFIED BY %s", (PASSWORD,))
        for statement in rights.statements(account, schema):
            cursor.execute(statement)
        cursor.execute(f"CREATE DATABASE `{schema}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    return Place(server, endpoint)


@pytest.fixture
def primary(places: Pair[Place]) -> Place:
    return places.primary


@pytest.fixture
def dr(places: Pair[Place]) -> Place:
    return places.dr


@pytest.fixture
def nasty(primary: Place) -> Place:
    """The primary with one of everything."""
    build_nasty(primary)
    return primary


def build_nasty(place: Place) -> None:
    script = (Path(__file__).parent / "nasty.sql").read_text(encoding="utf-8")
    with place.server.connect(place.endpoint.schema) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO'")
        for statement in script.replace("{schema}", place.endpoint.schema).split("\n;;\n"):
            text = statement.replace("\n", "\r\n") if statement.startswith("CREATE PROCEDURE") else statement
            cursor.execute(text)
        _fill_kinds(cursor)
        _make_latin_objects(connection)


def _fill_kinds(cursor: Cursor) -> None:
    for text in TEXTS:
        row = {"label": text[:80], "text_value": text, "raw": text.encode(), "big": text.encode("utf-16")}
        cursor.execute(_insert(row), tuple(row.values()))
    one: dict[str, object] = {
        "label": "all",
        "latin": "é€ß",
        "wide": "日本 ß",
        "fixed": "ab  ",
        "raw": bytes(range(256)),
        "fixed_raw": b"\x00a",
        "big": bytes(range(256)) * 300,
        "flags": 0b10000000001,
        "document": '{"name": "😀 \\"q\\" \\\\ \\/", "none": null, "n": 1.0}',
        "amount": "-1234567890123456789012345678.0123456789",
        "ratio": 0.1 + 0.2,
        "small": 0.5,
        "choice": "it's",
        "many": "x,z",
        "moment": "2024-03-31 02:30:00.123456",
        "seen": "2024-10-27 01:30:00",
        "lasted": "-838:59:59.000",
        "born": 2024,
        "hidden": 9,
    }
    cursor.execute(_insert(one), tuple(one.values()))
    extremes: dict[str, object] = {
        "label": "extremes",
        "ratio": 1.7976931348623157e308,
        "many": "",
        "day": "2024-00-00",
    }
    cursor.execute(_insert(extremes), tuple(extremes.values()))
    cursor.execute("INSERT IGNORE INTO kinds (label, choice) VALUES ('error value', 'no such member')")


def _insert(row: Mapping[str, object]) -> str:
    return f"INSERT INTO kinds ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"


def _make_latin_objects(connection: pymysql.connections.Connection[Cursor]) -> None:
    """Make a trigger and an event in a session that is not of UTF-8: their text is kept in that character set."""
    with connection.cursor() as cursor:
        cursor.execute("SET NAMES latin1")
        for statement in (
            "CREATE TRIGGER in_latin BEFORE UPDATE ON parent FOR EACH ROW SET NEW.d = 'Größe'",
            "CREATE EVENT in_latin ON SCHEDULE EVERY 1 YEAR DO SET @x = 'Größe'",
        ):
            connection.query(statement.encode("latin-1"))
        cursor.execute("SET NAMES utf8mb4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "workspace"
    target.mkdir()
    return target


@pytest.fixture
def scratch_left(dr: Place) -> Callable[[], set[str]]:
    """Return the scratch schemas that are left at the DR server."""
    return lambda: {name for name in dr.schemas() if name.startswith(rights.SCRATCH_PREFIX)}


@dataclass(frozen=True)
class Dumped:
    """A dump of the primary."""

    folder: Path

    @property
    def dump(self) -> Path:
        return self.folder / DUMP_FILE

    @property
    def inventory_file(self) -> Path:
        return self.folder / INVENTORY_FILE

    @property
    def inventory(self) -> Inventory:
        return read_inventory(self.inventory_file)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.dump.read_bytes()).hexdigest()

    def text(self) -> str:
        return b"".join(read_archive(self.dump)).decode(errors="replace")


@pytest.fixture
def dumped(nasty: Place, folder: Path) -> Dumped:
    """A dump of the primary with one of everything."""
    dump(nasty.endpoint, folder)
    return Dumped(folder)


@pytest.fixture
def tenants(primary: Place) -> Place:
    """The primary with values of its own site in columns of every kind."""
    old = "/data/berlin/Tenants"
    primary.run(
        "CREATE TABLE tenant (name VARCHAR(20) PRIMARY KEY, path VARCHAR(60) NOT NULL, note TEXT, "
        "at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, "
        "upper_path VARCHAR(60) AS (UPPER(path)) STORED) ENGINE = InnoDB",
        f"INSERT INTO tenant (name, path, note, at) VALUES ('a', '{old}/a', NULL, '2020-01-01'), "
        f"('b', '{old}/b', 'x {old} y {old}', '2020-01-01'), ('c', '/other', '', '2020-01-01')",
        "CREATE TABLE `odd ``t` (`a col` TEXT CHARACTER SET latin1, document JSON, raw BLOB, "
        "e ENUM('http://berlin/', 'x'))",
        "INSERT INTO `odd ``t` VALUES ('Größe http://berlin/ä', '{\"url\": \"http:\\\\/\\\\/berlin\\\\/x\"}', "
        "CONCAT(0xFF00, 'http://berlin/', 0xFE), 'http://berlin/'), (NULL, NULL, NULL, NULL)",
    )
    return primary
