"""Replaces definers in the text of a dump while it passes.

The dump client writes one at the beginning of a line in three ways: of a routine, of a view, and of a view whose
definer is a role. A line of data begins otherwise: line ends inside of data are escaped. Should a routine's own text
have such a line, it is replaced as well, the inventory says that it is not, and the proof refuses the dump.

``SQL SECURITY`` stands after a view's definer. A routine has it somewhere after its parameters, so the whole routine
is replaced, as it was read from the server; one that is not found as it was read, the proof refuses as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from incorta_provider.dr.definers import ACCOUNT, definer_of, is_invoker, replace_account

_HEAD = re.compile(
    rb"(\n(?:CREATE |/\*!50013 |/\*!50001 CREATE ALGORITHM=\w+ )DEFINER=)(" + ACCOUNT.encode() + rb")"
    rb"(?P<security> SQL SECURITY DEFINER(?= \*/| VIEW ))?",
)
_LONGEST_HEAD = 2048
"""More bytes than a line has up to the end of its definer: names have up to 128 and 255 characters."""
_ROUTINE_END = rb"(?=[ \n];;\n)"
_END_BYTES = 4
"""Of what stands after a routine, whose delimiter one client writes on the last line and the other below."""


def with_definers(pieces: Iterator[bytes], rules: Mapping[str, str], secured: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield a dump in which the rules' accounts stand in place of those that they name.

    :param secured: routines that take the place of others, as :meth:`Definitions.secured` returns them.
    """
    passed = _with_accounts(pieces, rules)
    return _with_routines(passed, secured) if secured else passed


def _with_routines(pieces: Iterator[bytes], secured: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield a dump with other routines; held back is as much as the longest of them has bytes."""
    texts = sorted(secured, key=len, reverse=True)
    pattern = re.compile(b"\n(" + b"|".join(map(re.escape, texts)) + b")" + _ROUTINE_END)
    most = len(texts[0]) + _END_BYTES + 1
    held = b""
    for piece in pieces:
        text = pattern.sub(lambda match: b"\n" + secured[match[1]], held + piece)
        yield text[:-most]
        held = text[-most:]
    yield held


def _with_accounts(pieces: Iterator[bytes], rules: Mapping[str, str]) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        text = held + piece
        line = text.rfind(b"\n")
        cut = line if line >= 0 and len(text) - line < _LONGEST_HEAD else len(text)
        held = text[cut:]
        yield _HEAD.sub(lambda match: _replaced(match, rules), text[:cut])
    yield _HEAD.sub(lambda match: _replaced(match, rules), held)


def _replaced(match: re.Match[bytes], rules: Mapping[str, str]) -> bytes:
    head, named, security = match[1], match[2].decode(errors="surrogateescape"), match["security"] or b""
    account = definer_of(f"DEFINER={named}")
    if account and is_invoker(account, rules):
        security = security.replace(b"DEFINER", b"INVOKER")
    return head + replace_account(named, rules).encode(errors="surrogateescape") + security
