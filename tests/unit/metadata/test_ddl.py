from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.inventory import Code
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.ddl import (
    create_trigger,
    definer_clause,
    encoded,
    in_its_settings,
    split_table,
    switched_off,
    trigger_body,
)

CREATE = """CREATE TABLE `odd ``t` (
  `a` int(11) NOT NULL COMMENT 'line1\\nline2, `x` ''q',
  `b` enum('x\\ny',') ENGINE=','z') DEFAULT NULL,
  `c,
  d` text DEFAULT 'a,\\n  `b',
  `e` int(11) GENERATED ALWAYS AS (`a` + 1) VIRTUAL,
  PRIMARY KEY (`a`),
  UNIQUE KEY `u` (`b`),
  KEY `k,
  ``k` (`b`),
  FULLTEXT KEY `ft` (`c,
  d`),
  CONSTRAINT `CONSTRAINT_1` CHECK (`b` <> 'x,\\n  `a'),
  CONSTRAINT `fk` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB AUTO_INCREMENT=4711 DEFAULT CHARSET=utf8mb4 COMMENT='AUTO_INCREMENT'
 PARTITION BY RANGE (`a`)
(PARTITION `p0` VALUES LESS THAN (10) ENGINE = InnoDB)"""


def test_a_table_is_split_into_its_parts() -> None:
    parts = split_table(CREATE)
    assert list(parts.columns) == ["a", "b", "c,\n  d", "e"]
    assert parts.columns["b"] == "`b` enum('x\\ny',') ENGINE=','z') DEFAULT NULL"
    assert parts.indexes == {
        "PRIMARY KEY": "PRIMARY KEY (`a`)",
        "u": "UNIQUE KEY `u` (`b`)",
        "k,\n  `k": "KEY `k,\n  ``k` (`b`)",
        "ft": "FULLTEXT KEY `ft` (`c,\n  d`)",
    }
    assert list(parts.constraints) == ["CONSTRAINT_1", "fk"]
    assert parts.options.startswith("ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='AUTO_INCREMENT'\n PARTITION BY")


def test_the_counter_is_no_part_of_a_definition() -> None:
    assert split_table(CREATE) == split_table(CREATE.replace("4711", "4712"))
    assert split_table(CREATE) == split_table(CREATE.replace(" AUTO_INCREMENT=4711", ""))


@given(st.sampled_from(CREATE.split("\n")[1:-3]))
def test_no_line_of_a_definition_is_lost(line: str) -> None:
    assert split_table(CREATE) != split_table(CREATE.replace(line, line + " x", 1))


@pytest.mark.parametrize("status", ["ENABLE", "DISABLE", "DISABLE ON SLAVE"])
def test_an_event_is_switched_off_wherever_its_name_says_otherwise(status: str) -> None:
    name = "ON COMPLETION PRESERVE ENABLE"
    create = (
        f"CREATE DEFINER=`a`@`%` EVENT `{name}` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE {status} "
        "COMMENT 'ON COMPLETION PRESERVE ENABLE' DO SET @x = 1"
    )
    assert switched_off(create, name) == create.replace(f"NOT PRESERVE {status}", "NOT PRESERVE DISABLE")


BODIES = ("SET NEW.a = 1", "BEGIN\n  -- x\n  SET @a = 'FOR EACH ROW';\nEND", "follows: BEGIN END")
HEADS = (
    "CREATE DEFINER=`r`@`%` TRIGGER t BEFORE INSERT ON x FOR EACH ROW ",
    "CREATE DEFINER=`r`@`%` trigger `s`.`t` after delete on `s`.`x` for each row\n",
    "CREATE OR REPLACE DEFINER=`a b`@`%` TRIGGER IF NOT EXISTS s . t BEFORE INSERT ON s . x FOR EACH ROW ",
    "CREATE DEFINER=`r`@`%` TRIGGER `for each row` AFTER UPDATE ON `FOR EACH ROW` FOR EACH ROW ",
    "CREATE DEFINER=`r`@`%` TRIGGER /* FOR EACH ROW */ t BEFORE INSERT -- FOR EACH ROW\n ON x FOR # no\n EACH ROW ",
    "CREATE DEFINER=`r`@`%` TRIGGER t BEFORE INSERT ON x FOR EACH ROW FOLLOWS `other``one` ",
    "CREATE DEFINER=`r`@`%` TRIGGER t BEFORE INSERT ON x FOR EACH ROW precedes other ",
    'CREATE DEFINER=`r`@`%` TRIGGER "t" BEFORE INSERT ON "x" FOR EACH ROW ',
    "CREATE DEFINER=`r`@`%` TRIGGER größe BEFORE INSERT ON 日本 FOR EACH ROW ",
)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("body", BODIES)
def test_the_body_of_a_trigger_is_found_behind_any_head(head: str, body: str) -> None:
    assert trigger_body(head + body) == body


def test_a_trigger_that_is_not_understood_is_named() -> None:
    with pytest.raises(ConfigurationError, match="not understood"):
        trigger_body("CREATE TRIGGER t BEFORE INSERT ON x")


def test_a_trigger_is_made_without_schema_names() -> None:
    assert create_trigger("a`b@10.%", "t`1", "x", "BEFORE INSERT", "SET @x = 1") == (
        "CREATE DEFINER=`a``b`@`10.%` TRIGGER `t``1` BEFORE INSERT ON `x` FOR EACH ROW SET @x = 1"
    )
    assert "DEFINER=`role` TRIGGER" in create_trigger("role@", "t", "x", "BEFORE INSERT", "SET @x = 1")
    assert "DEFINER=`role` TRIGGER" in create_trigger("role", "t", "x", "BEFORE INSERT", "SET @x = 1")


def code(character_set: str, **settings: str) -> Code:
    fixed = {"sql_mode": "ANSI", "character_set_client": character_set, "collation_connection": "utf8mb4_bin"}
    fixed["database_collation"] = "utf8mb4_bin"
    return Code(definition="CREATE DEFINER=`a`@`%` EVENT `e` ON SCHEDULE", settings={**fixed, **settings})


def test_a_statement_is_encoded_as_its_object_was_written() -> None:
    assert encoded(code("latin1"), "Größe") == "Größe".encode("latin-1")
    assert encoded(code("utf8mb4"), "😀") == "😀".encode()


@pytest.mark.parametrize(("character_set", "text"), [("latin1", "日本"), ("binary", "x"), ("no such", "x")])
def test_what_cannot_be_encoded_is_refused(character_set: str, text: str) -> None:
    with pytest.raises((ConfigurationError, KeyError)):
        encoded(code(character_set), text)


def test_settings_are_set_before_and_the_schemas_own_are_set_back() -> None:
    event = code("utf8mb4", time_zone="+01:00", created="1700000000", database_collation="latin1_bin")
    assert in_its_settings(event, b"CREATE ...", "utf8mb4_bin") == [
        b"ALTER DATABASE COLLATE latin1_bin",
        b"SET SESSION sql_mode = 'ANSI', character_set_client = utf8mb4, collation_connection = utf8mb4_bin, "
        b"time_zone = '+01:00', timestamp = 1700000000",
        b"CREATE ...",
        b"ALTER DATABASE COLLATE utf8mb4_bin",
    ]
    assert len(in_its_settings(event, b"CREATE ...", "latin1_bin")) == 2


def test_the_definer_is_taken_as_it_stands() -> None:
    assert definer_clause(code("utf8mb4")) == "DEFINER=`a`@`%`"
