"""Definers in the text of a dump, wherever the text is cut while it passes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.metadata.definer_text import with_definers

RULES = {"gone@%": "incorta@10.%", "readers": "incorta@10.%"}
DUMP = b"""-- MariaDB dump
INSERT INTO `t` VALUES (1,'\\nCREATE DEFINER=`gone`@`%` PROCEDURE'),(2,'DEFINER=`gone`@`%`');
DELIMITER ;;
CREATE DEFINER=`gone`@`%` PROCEDURE `p`()
BEGIN SELECT 'DEFINER=`gone`@`%`'; END ;;
CREATE DEFINER=`stays`@`%` FUNCTION `f`() RETURNS int(11)
RETURN 1
;;
DELIMITER ;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`gone`@`%` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select 1 AS `DEFINER=``gone``@``%``` */;
/*!50001 CREATE ALGORITHM=UNDEFINED DEFINER=`readers` SQL SECURITY DEFINER VIEW `w` AS select 1 */;
-- Dump completed
"""
EXPECTED = (
    DUMP.replace(b"\nCREATE DEFINER=`gone`@`%` PROCEDURE `p`", b"\nCREATE DEFINER=`incorta`@`10.%` PROCEDURE `p`")
    .replace(b"/*!50013 DEFINER=`gone`@`%`", b"/*!50013 DEFINER=`incorta`@`10.%`")
    .replace(b"DEFINER=`readers`", b"DEFINER=`incorta`@`10.%`")
)


@given(st.sets(st.integers(1, len(DUMP) - 1)))
def test_it_does_not_matter_where_the_text_is_cut(cuts: set[int]) -> None:
    ends = [*sorted(cuts), len(DUMP)]
    pieces = [DUMP[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert b"".join(with_definers(iter(pieces), RULES, {})) == EXPECTED


def test_a_long_line_of_data_is_not_held_back() -> None:
    row = b"\nINSERT INTO `t` VALUES ('" + b"x" * 100_000
    passed = with_definers(iter([row, row, b"\n/*!50013 DEFINER=`gone`@", b"`%` SQL */"]), RULES, {})
    assert [len(next(passed)) for _ in range(2)] == [len(row)] * 2
    assert b"".join(passed) == b"\n/*!50013 DEFINER=`incorta`@`10.%` SQL */"


def test_without_a_rule_that_fits_nothing_changes() -> None:
    assert b"".join(with_definers(iter([DUMP]), {"other@%": "x@%"}, {})) == DUMP


@given(st.sets(st.integers(1, len(DUMP) - 1)))
def test_views_and_routines_become_the_invokers_and_keep_or_change_their_definer(cuts: set[int]) -> None:
    ends = [*sorted(cuts), len(DUMP)]
    pieces = [DUMP[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    rules = {"gone@%": "invoker", "readers": "incorta@%, invoker"}
    procedure = b"CREATE DEFINER=`gone`@`%` PROCEDURE `p`()\nBEGIN SELECT 'DEFINER=`gone`@`%`'; END"
    function = b"CREATE DEFINER=`stays`@`%` FUNCTION `f`() RETURNS int(11)\nRETURN 1"
    secured = {text: text.replace(b"\n", b"\n    SQL SECURITY INVOKER\n") for text in (procedure, function)}
    expected = (
        DUMP.replace(procedure, secured[procedure])
        .replace(function, secured[function])
        .replace(b"13 DEFINER=`gone`@`%` SQL SECURITY DEFINER", b"13 DEFINER=`gone`@`%` SQL SECURITY INVOKER")
        .replace(b"DEFINER=`readers` SQL SECURITY DEFINER", b"DEFINER=`incorta`@`%` SQL SECURITY INVOKER")
    )
    assert b"".join(with_definers(iter(pieces), rules, secured)) == expected
