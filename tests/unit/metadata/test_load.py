from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.metadata.load import renamed

DUMP = b"""-- MariaDB dump
CREATE TABLE `t` (`a` text);
INSERT INTO `t` VALUES
('/*!50001 VIEW `x` AS select `old`.`f`() */;\\nALTER DATABASE `old` '),
('`old`.`t`');
DROP FUNCTION IF EXISTS `f`;
ALTER DATABASE `old` CHARACTER SET latin1 COLLATE latin1_bin ;
CREATE FUNCTION `f`() RETURNS int RETURN 'says `old`.`x`'
ALTER DATABASE `old` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50001 VIEW `v` AS select `old`.`f`() AS `a
b`,'\xff' from `t` */;
/*!50001 VIEW `w` AS select `older`.`f`() */;
-- Dump completed
"""
EXPECTED = DUMP.replace(b"ALTER DATABASE `old` CHARACTER", b"ALTER DATABASE `new` CHARACTER").replace(
    b"`v` AS select `old`.`f`()", b"`v` AS select `new`.`f`()"
)


@given(st.lists(st.integers(0, len(DUMP)), max_size=12))
def test_a_dump_is_renamed_the_same_however_it_comes_in_pieces(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(DUMP)]
    pieces = (DUMP[begin:end] for begin, end in itertools.pairwise(edges))
    assert b"".join(renamed(pieces, "old", "new")) == EXPECTED


def test_byte_by_byte() -> None:
    assert b"".join(renamed((DUMP[at : at + 1] for at in range(len(DUMP))), "old", "new")) == EXPECTED


def test_what_names_no_schema_comes_through_at_once() -> None:
    pieces = [b"x" * 1000 + b"\nx", b"y" * 1000]
    out = list(renamed(iter(pieces), "old", "new"))
    assert len(out[0]) == 1000
    assert b"".join(out) == b"".join(pieces)


def test_an_odd_name_is_found_quoted() -> None:
    text = b"\n/*!50001 VIEW `v` AS select `o``ld`.`f`() */;\n"
    assert b"`n``ew`.`f`" in b"".join(renamed(iter([text]), "o`ld", "n`ew"))
    assert not re.search(rb"o``ld", b"".join(renamed(iter([text]), "o`ld", "n`ew")))
