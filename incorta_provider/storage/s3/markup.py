"""The XML that S3 answers with, of which only names and values are wanted.

The standard library's ``xml.sax.saxutils`` does the same, and imports an HTTP client: 50 ms of each helper process.
"""

from __future__ import annotations

import re

_ENTITIES = (
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", '"'),
    ("&#34;", '"'),
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&amp;", "&"),
)
"""The ampersand last: what it makes is text."""

_UNFIT = re.compile(rb"[\x00-\x08\x0b-\x1f]|\xef\xbf[\xbe\xbf]")
"""In UTF-8; the last two are U+FFFE and U+FFFF."""


def unescaped(text: str) -> str:
    """Return a value as it was before it was put into XML."""
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    return text


def escaped(text: str) -> str:
    """Return a value as it is put into XML between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fits(key: bytes) -> bool:
    r"""Tell whether XML 1.0 can hold a key and gives back the same one.

    Not control characters, which it has no way to write, nor ``\r``, which a parser turns into ``\n``: see
    "Characters" and "End-of-Line Handling" in the specification.
    """
    return _UNFIT.search(key) is None


def value_of(text: str, name: str) -> str:
    """Return what stands in the first tag of a name, as it is written; empty where there is none."""
    _, _, rest = text.partition(f"<{name}>")
    return rest.partition(f"</{name}>")[0]
