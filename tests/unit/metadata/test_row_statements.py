"""Only the rows of a dump are taken, however its bytes come."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.metadata.row_statements import SETTINGS, row_statements

DUMP = b"""-- MySQL dump 10.13
DROP TABLE IF EXISTS `t`;
CREATE TABLE `t` (
  `a` int COMMENT 'INSERT INTO `t`'
);
LOCK TABLES `t` WRITE;
INSERT INTO `t` VALUES (1,'INSERT INTO `x` VALUES (2);\\n'),(2,NULL);
INSERT INTO `t` VALUES
(3,');'),
(4,'');
UNLOCK TABLES;
-- Dump completed
"""
ROWS = (
    b"INSERT INTO `t` VALUES (1,'INSERT INTO `x` VALUES (2);\\n'),(2,NULL);\n"
    b"INSERT INTO `t` VALUES\n(3,');'),\n(4,'');\n"
)


@given(st.lists(st.integers(0, len(DUMP)), max_size=8))
def test_rows_are_the_same_wherever_the_dump_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(DUMP)]
    pieces = [DUMP[start:end] for start, end in itertools.pairwise(edges)]
    assert b"".join(row_statements(pieces)) == SETTINGS + ROWS
