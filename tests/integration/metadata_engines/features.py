"""One object for each thing that a schema may hold, in the words of each engine that has it."""

from __future__ import annotations

from dataclasses import dataclass, field

MARIADB, MYSQL = "MariaDB", "MySQL"
ENGINES = (MARIADB, MYSQL)


@dataclass(frozen=True)
class Feature:
    """One row of the matrix.

    :ivar key: name of its object.
    :ivar made: statements by engine; an engine without has no such thing.
    """

    kind: str
    title: str
    key: str
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)


def both(*statements: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(ENGINES, statements)


def column(title: str, key: str, definition: str, *values: str, only: str = "") -> Feature:
    """Return a table with one column of a type, a key, and rows of these values and NULL."""
    rows = ", ".join(f"({number}, {value})" for number, value in enumerate(values, 1))
    statements = (f"CREATE TABLE {key} (id INT PRIMARY KEY, v {definition})", f"INSERT INTO {key} VALUES {rows}")
    return Feature("type", title, key, {only: statements} if only else both(*statements))


def table(title: str, key: str, *statements: str, only: str = "") -> Feature:
    return Feature("table", title, key, {only: statements} if only else both(*statements))


_P = "CREATE TABLE {} (id INT PRIMARY KEY, a INT, b VARCHAR(30){})"
_EVERY = "ON SCHEDULE EVERY 1 DAY"

FEATURES = (
    column("integers, signed and unsigned", "t_int", "BIGINT UNSIGNED", "0", "18446744073709551615", "NULL"),
    column("DECIMAL", "t_decimal", "DECIMAL(38,10)", "-1234567890123456789012345678.0123456789", "NULL"),
    column("DOUBLE", "t_double", "DOUBLE", "1.7976931348623157e308", "0.1e0 + 0.2e0", "NULL"),
    column("FLOAT", "t_float", "FLOAT", "0.5", "1e-10", "NULL"),
    column("BIT", "t_bit", "BIT(11)", "b'10000000001'", "NULL"),
    column(
        "CHAR, VARCHAR in utf8mb4_unicode_ci", "t_text", "VARCHAR(60)", "'😀 𝄞 é'", "'\\\\''\"`\\n'", "'NULL'", "NULL"
    ),
    column("text in utf8mb4_bin", "t_bin", "TEXT COLLATE utf8mb4_bin", "'Aa'", "''", "NULL"),
    column("text in latin1", "t_latin1", "TEXT CHARACTER SET latin1", "'é€ß'", "NULL"),
    column("text in utf16", "t_utf16", "VARCHAR(60) CHARACTER SET utf16", "'日本 😀'", "NULL"),
    column("text in utf8mb4_0900_ai_ci", "t_0900", "TEXT COLLATE utf8mb4_0900_ai_ci", "'Aa'", "NULL", only=MYSQL),
    column("text in uca1400", "t_uca", "TEXT COLLATE utf8mb4_uca1400_ai_ci", "'Aa'", "NULL", only=MARIADB),
    column("BINARY, VARBINARY, BLOB", "t_blob", "LONGBLOB", "REPEAT(0x00FF0D0A27, 20000)", "''", "NULL"),
    column(
        "DATE, DATETIME, zero dates", "t_date", "DATETIME(6)", "'2024-03-31 02:30:00.123456'", "'0000-00-00'", "NULL"
    ),
    column("TIMESTAMP", "t_stamp", "TIMESTAMP(6) NULL", "'2024-10-27 01:30:00.5'", "NULL"),
    column("TIME", "t_time", "TIME(3)", "'-838:59:59'", "NULL"),
    column("YEAR", "t_year", "YEAR", "2024", "NULL"),
    column("ENUM", "t_enum", "ENUM('a','it''s')", "'it''s'", "NULL"),
    column("SET", "t_set", "SET('x','y','z')", "'x,z'", "''", "NULL"),
    column("JSON", "t_json", "JSON", """'{"n": 1.0, "s": "ß"}'""", "'[]'", "NULL"),
    column("GEOMETRY", "t_geo", "GEOMETRY", "ST_GeomFromText('LINESTRING(0 0,1 1.5)')", "NULL"),
    column("POINT with SRID 4326", "t_srid", "POINT SRID 4326", "ST_GeomFromText('POINT(1 2)', 4326)", only=MYSQL),
    column("VECTOR", "t_vector", "VECTOR(3)", "STRING_TO_VECTOR('[1,-2.5,3e-8]')", "NULL", only=MYSQL),
    column("UUID", "t_uuid", "UUID", "'123e4567-e89b-12d3-a456-426655440000'", "NULL", only=MARIADB),
    column("INET6", "t_inet6", "INET6", "'2001:db8::ff00:42:8329'", "NULL", only=MARIADB),
    table("no primary key", "k_none", "CREATE TABLE k_none (a INT)", "INSERT INTO k_none VALUES (1), (1), (NULL)"),
    table(
        "AUTO_INCREMENT",
        "k_auto",
        "CREATE TABLE k_auto (id INT AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO k_auto VALUES (7)",
    ),
    table(
        "unique, prefix and several columns",
        "k_many",
        _P.format("k_many", ", UNIQUE u (b), KEY p (b(5)), KEY m (a, b)"),
    ),
    table("descending index", "k_desc", _P.format("k_desc", ", KEY d (a DESC, b)")),
    table("full text index", "k_full", _P.format("k_full", ", FULLTEXT KEY f (b)")),
    table("index of an expression", "k_expr", _P.format("k_expr", ", KEY e ((UPPER(b)))"), only=MYSQL),
    table("invisible or ignored index", "k_unseen", _P.format("k_unseen", ", KEY u (b) INVISIBLE"), only=MYSQL),
    table(
        "foreign key",
        "k_child",
        _P.format(
            "k_child", ", KEY f (a), CONSTRAINT fk_child FOREIGN KEY (a) REFERENCES k_child (id) ON DELETE CASCADE"
        ),
        "INSERT INTO k_child VALUES (1, NULL, 'x'), (2, 1, 'y')",
    ),
    table("check", "k_check", _P.format("k_check", ", CONSTRAINT c_check CHECK (a >= 0)")),
    table(
        "check, not enforced",
        "k_wish",
        _P.format("k_wish", ", CONSTRAINT c_wish CHECK (a >= 0) NOT ENFORCED"),
        only=MYSQL,
    ),
    table(
        "default value",
        "k_default",
        "CREATE TABLE k_default (id INT PRIMARY KEY, a INT NOT NULL DEFAULT 7, b VARCHAR(9) DEFAULT 'it''s', "
        "c DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
    ),
    table(
        "default expression",
        "k_computed",
        "CREATE TABLE k_computed (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT (UPPER('x')))",
    ),
    table(
        "generated columns",
        "k_generated",
        "CREATE TABLE k_generated (id INT PRIMARY KEY, v INT AS (id * 2) VIRTUAL, s INT AS (id + 1) STORED)",
        "INSERT INTO k_generated (id) VALUES (1), (2)",
    ),
    table(
        "invisible column",
        "k_hidden",
        "CREATE TABLE k_hidden (id INT PRIMARY KEY, h INT INVISIBLE DEFAULT 7)",
        "INSERT INTO k_hidden (id) VALUES (1)",
    ),
    table(
        "comments", "k_comment", "CREATE TABLE k_comment (id INT PRIMARY KEY COMMENT 'it''s') COMMENT = 'a \"table\"'"
    ),
    table(
        "partitions",
        "k_parted",
        "CREATE TABLE k_parted (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3",
        "INSERT INTO k_parted VALUES (1), (2)",
    ),
    table("compressed rows", "k_compressed", "CREATE TABLE k_compressed (id INT PRIMARY KEY) ROW_FORMAT = COMPRESSED"),
    table(
        "odd names",
        "k_`ö`",
        "CREATE TABLE `k_``ö``` (`a b` INT PRIMARY KEY, `c``'\"` INT)",
        "INSERT INTO `k_``ö``` VALUES (1, 2)",
    ),
    Feature("code", "view", "c_view", both("CREATE VIEW c_view AS SELECT 1 AS one")),
    Feature(
        "code",
        "function",
        "c_function",
        both("CREATE FUNCTION c_function(a INT) RETURNS INT DETERMINISTIC RETURN a + 1"),
    ),
    Feature("code", "procedure", "c_procedure", both("CREATE PROCEDURE c_procedure() BEGIN SET @x = 1; END")),
    Feature(
        "code",
        "trigger",
        "c_trigger",
        both("CREATE TRIGGER c_trigger BEFORE INSERT ON k_none FOR EACH ROW SET NEW.a = 1"),
    ),
    Feature("code", "event", "c_event", both(f"CREATE EVENT c_event {_EVERY} DO SET @x = 1")),
)
"""``sequences``, tables with history and tables of other storage engines are refused at the dump, whatever the pair."""
