"""Replaces definers in the text of a dump while it passes.

The dump client writes one at the beginning of a line in three ways: of a routine, of a view, and of a view whose
definer is a role. A line of data begins otherwise: line ends inside of data are escaped. Should a routine's own text
have such a line, it is replaced as well, the inventory says that it is not, and the proof refuses the dump.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from incorta_provider.dr.definers import ACCOUNT, replace_account

_HEAD = re.compile(
    rb"(\n(?:CREATE |/\*!50013 |/\*!50001 CREATE ALGORITHM=\w+ )DEFINER=)(" + ACCOUNT.encode() + rb")",
)
_LONGEST_HEAD = 2048
"""More bytes than a line has up to the end of its definer: names have up to 128 and 255 characters."""


def with_definers(pieces: Iterator[bytes], rules: Mapping[str, str]) -> Iterator[bytes]:
    """Yield a dump in which the rules' accounts stand in the place of those that they name."""
    held = b""
    for piece in pieces:
        text = held + piece
        line = text.rfind(b"\n")
        cut = line if line >= 0 and len(text) - line < _LONGEST_HEAD else len(text)
        held = text[cut:]
        yield _HEAD.sub(lambda match: _replaced(match, rules), text[:cut])
    yield _HEAD.sub(lambda match: _replaced(match, rules), held)


def _replaced(match: re.Match[bytes], rules: Mapping[str, str]) -> bytes:
    return match[1] + replace_account(match[2].decode(errors="surrogateescape"), rules).encode(errors="surrogateescape")
