"""The metadata contests' database: four tables that differ in what they cost, filled by the server itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.metadata import rights
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.option_file import login_options, option_text
from lab.servers.mariadb import MariaDb

SCHEMA = "bench"
COPY = "bench_copy"
"""Where the other tools restore to."""

_USER, _PASSWORD = "bench", "bench-only"
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class _Table:
    """One table.

    :param columns: as in CREATE TABLE.
    :param row: the values of one row, by its number ``seq``.
    :param width: bytes of a row as SQL text, about.
    :param share: of the whole.
    """

    columns: str
    row: str
    width: int
    share: float


_DOCUMENTS = _Table(
    "id INT PRIMARY KEY, name VARCHAR(100) NOT NULL, body LONGTEXT NOT NULL, changed DATETIME NOT NULL, KEY (name)",
    """seq, CONCAT('Sales by region ', seq),
    CONCAT('{"title": "', SHA2(seq, 256), '", "columns": [',
        REPEAT(CONCAT('{"name": "', MD5(seq), '", "type": "double", "visible": true}, '), 20), 'null]}'),
    '2024-01-01' + INTERVAL seq SECOND""",
    width=1_900,
    share=0.5,
)
_FILES = _Table(
    "id INT PRIMARY KEY, path VARCHAR(255) NOT NULL UNIQUE, size BIGINT NOT NULL, sha256 CHAR(64) NOT NULL, "
    "version INT NOT NULL, KEY (version)",
    """seq, CONCAT('source/SALES/ORDERS_', seq % 97, '/v1/part-', seq, '.parquet'), seq * 7919 % 10000019,
    SHA2(seq, 256), seq % 1009""",
    width=150,
    share=0.25,
)
_NUMBERS = _Table(
    "id INT PRIMARY KEY, a BIGINT, b DOUBLE, c DECIMAL(20, 6), d DATE, e TIMESTAMP NULL, f TINYINT",
    """seq, seq * 104729 % 1000003, seq / 7, seq / 13, '2020-01-01' + INTERVAL seq % 2000 DAY,
    '2020-01-01' + INTERVAL seq SECOND, NULLIF(seq % 5, 0)""",
    width=85,
    share=0.15,
)
_PICTURES = _Table(
    "id INT PRIMARY KEY, picture MEDIUMBLOB NOT NULL",
    "seq, REPEAT(UNHEX(CONCAT(SHA2(seq, 512), SHA2(-seq, 512), SHA2(seq * 7, 512))), 10)",
    width=2_500,
    share=0.1,
)
_TABLES = {"documents": _DOCUMENTS, "files": _FILES, "numbers": _NUMBERS, "pictures": _PICTURES}


@dataclass(frozen=True)
class Database:
    """The database of one site."""

    server: MariaDb

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.server.host, self.server.port, _USER, _PASSWORD, SCHEMA, self.server.site_name)

    def admit(self) -> None:
        """Make the account with just the rights that the provider asks for, and those on the other tools' copy."""
        account = f"'{_USER}'@'127.0.0.1'"
        self.run(f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{_PASSWORD}'")
        self.run(*rights.statements(account, SCHEMA), f"GRANT ALL ON `{COPY}`.* TO {account}")

    def fill(self, mib: int) -> None:
        """Make the schema, about so large as SQL text; what was there is lost."""
        self.remake(SCHEMA)
        for name, table in _TABLES.items():
            rows = int(mib * (1 << 20) * table.share / table.width)
            self.run(f"CREATE TABLE {SCHEMA}.{name} ({table.columns}) ENGINE=InnoDB")
            for first in range(1, rows + 1, _BATCH):
                last = min(first + _BATCH - 1, rows)
                self.run(
                    "SET sql_log_bin = 0",
                    f"INSERT INTO {SCHEMA}.{name} SELECT {table.row} FROM mysql.seq_{first}_to_{last}",
                )
        self.run(*(f"ANALYZE TABLE {SCHEMA}.{name}" for name in _TABLES))

    def fill_many(self, mib: int, tables: int) -> None:
        """Make the schema of many tables of one kind, with foreign keys, views, triggers and a routine among them."""
        self.remake(SCHEMA)
        rows = int(mib * (1 << 20) / _DOCUMENTS.width / tables)
        for number in range(tables):
            name = f"{SCHEMA}.t{number:03}"
            reference = f", FOREIGN KEY (id) REFERENCES {SCHEMA}.t{number - 1:03} (id)" if number % 4 else ""
            self.run(
                f"CREATE TABLE {name} ({_DOCUMENTS.columns}{reference}) ENGINE=InnoDB",
                "SET sql_log_bin = 0",
                f"INSERT INTO {name} SELECT {_DOCUMENTS.row} FROM mysql.seq_1_to_{rows}",
            )
            if number % 10 == 0:
                self.run(
                    f"CREATE VIEW {SCHEMA}.v{number:03} AS SELECT name FROM {name}",
                    f"CREATE TRIGGER {SCHEMA}.tr{number:03} BEFORE INSERT ON {name} FOR EACH ROW SET @x = 1",
                )
        self.run(f"CREATE PROCEDURE {SCHEMA}.p() SELECT 1")

    def remake(self, schema: str) -> None:
        """Make a schema anew and empty, and forget the binary log of what was in it."""
        self.run(f"DROP DATABASE IF EXISTS {schema}", f"CREATE DATABASE {schema}", "RESET MASTER")

    def read_all(self) -> None:
        """Read every row, so that the server's memory is in one state, whoever was there before."""
        self.run(*(f"CHECKSUM TABLE {SCHEMA}.{name}" for name in _TABLES))

    def drop_beside(self) -> None:
        """Drop what restores kept beside the live schema."""
        with self.server.connect() as session, session.cursor() as cursor:
            cursor.execute("SHOW DATABASES")
            kept = [str(name) for (name,) in cursor.fetchall() if str(name).startswith(rights.BESIDE_PREFIX)]
        self.run(*(f"DROP DATABASE `{name}`" for name in kept), "RESET MASTER")

    def rows(self, schema: str) -> dict[str, int]:
        """Count the rows of each table."""
        return {name: self.run(f"SELECT COUNT(*) FROM {schema}.{name}")[0][0] for name in _TABLES}

    def run(self, *statements: str) -> tuple[tuple[int, ...], ...]:
        """Run statements as root and return the rows of the last."""
        with self.server.connect() as session, session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())

    @contextmanager
    def login_file(self, folder: Path) -> Iterator[str]:
        """Lend an option file for the client programs; the driver and they reach the server the same way."""
        path = folder / f"{self.server.site_name}.cnf"
        path.touch(mode=0o600)
        path.write_text(option_text(login_options(self.endpoint)), encoding="utf-8")
        yield str(path)
