from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.sql_security import as_invoker, runs_as_invoker

LINE = "    SQL SECURITY INVOKER\n"
HEADS = (
    "CREATE DEFINER=`a`@`%` PROCEDURE `p`()\n",
    "CREATE DEFINER=`a`@`%` PROCEDURE `do (it`(IN x INT, OUT `)` VARCHAR(9) /* ) */)\n",
    "CREATE DEFINER=`role` PROCEDURE `p`(-- one )\n x DECIMAL(9,2), # two )\n y ENUM(')','''','\\'('))\n    NO SQL\n",
    "CREATE DEFINER=`a`@`%` FUNCTION `f`(x INT) RETURNS varchar(9) CHARSET utf8mb4 COLLATE utf8mb4_bin\n",
    "CREATE DEFINER=`a`@`%` FUNCTION `f`() RETURNS int(11)\n    READS SQL DATA\n    DETERMINISTIC\n",
    "CREATE DEFINER=`a`@`%` AGGREGATE FUNCTION `f`(x INT) RETURNS int(11)\n",
    'CREATE DEFINER="a"@"%" PROCEDURE "p"()\n',
    'CREATE DEFINER="a"@"%" FUNCTION "f"(a int) RETURN int(11)\n',
)
bodies = st.text().map(lambda text: f"BEGIN SELECT '{text}'; END")
comments = st.sampled_from(["", "    COMMENT 'with\n    SQL SECURITY INVOKER\n'\n"])


@given(st.sampled_from(HEADS), comments, bodies)
def test_a_routine_has_it_between_what_it_reads_and_its_comment(head: str, comment: str, body: str) -> None:
    definition = head + comment + body
    assert not runs_as_invoker(definition)
    assert as_invoker(definition) == head + LINE + comment + body
    assert runs_as_invoker(head + LINE + comment + body)
    assert as_invoker(head + LINE + comment + body) == head + LINE + comment + body


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE DEFINER=`a`@`%` TRIGGER `t` BEFORE INSERT ON `x` FOR EACH ROW SET @a = 1",
        "CREATE DEFINER=`a`@`%` EVENT `e` ON SCHEDULE EVERY 1 DAY DO SELECT ' SQL SECURITY DEFINER VIEW '",
        "CREATE DEFINER=`a`@`%` PROCEDURE `p`(x INT",
        "",
    ],
)
def test_what_has_no_such_words_stays_as_it_is(definition: str) -> None:
    assert as_invoker(definition) == definition
    assert not runs_as_invoker(definition)
