"""The rows of a dump, without its definitions: what another engine takes of it.

Both dump clients begin a statement of rows on a line of its own, write no line end within a value, and end it with the
line that closes the last row. Text that only looks so could stand in the body of a routine: a dump with routines is not
carried over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SETTINGS = (
    b"SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', "
    b"foreign_key_checks = 0, unique_checks = 0;\n"
)

_BEGIN = b"INSERT INTO `"
_END = b");\n"


def row_statements(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the statements that insert rows, under the settings of a dump."""
    yield SETTINGS
    inside = False
    for line in _lines(pieces):
        if inside or line.startswith(_BEGIN):
            inside = not line.endswith(_END)
            yield line


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    begun: list[bytes] = []
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield b"".join([*begun, line, b"\n"])
            begun = []
        begun.append(rest)
    yield b"".join(begun)
