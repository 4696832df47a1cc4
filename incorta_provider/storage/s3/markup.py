"""The XML that S3 answers with, of which only names and values are wanted.

The standard library's ``xml.sax.saxutils`` does the same, and imports an HTTP client: 50 ms of each helper process.
"""

from __future__ import annotations

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


def unescaped(text: str) -> str:
    """Return a value as it was before it was put into XML."""
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    return text


def escaped(text: str) -> str:
    """Return a value as it is put into XML between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
