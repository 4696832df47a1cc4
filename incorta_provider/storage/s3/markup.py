"""The XML that S3 answers with, of which only names and values are wanted."""

from __future__ import annotations

from xml.sax.saxutils import unescape

_QUOTES = {"&quot;": '"', "&#34;": '"', "&apos;": "'", "&#39;": "'"}


def unescaped(text: str) -> str:
    """Return a value as it was before it was put into XML."""
    return unescape(text, _QUOTES)
