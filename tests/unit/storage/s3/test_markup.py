"""Values in XML: ours against the standard library's."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.storage.s3.markup import escaped, fits, unescaped

_QUOTES = {"&quot;": '"', "&#34;": '"', "&apos;": "'", "&#39;": "'"}
_PIECES = ["a", "&", ";", "<", ">", chr(34), "lt", "&amp;", "&lt;", "&quot;", "&#39;"]
_TEXTS = st.lists(st.sampled_from(_PIECES)).map("".join)


@given(_TEXTS)
def test_what_was_escaped_comes_back(text: str) -> None:
    assert unescaped(escaped(text)) == text


@given(_TEXTS)
def test_as_the_standard_library_does_it(text: str) -> None:
    assert escaped(text) == escape(text)
    assert unescaped(text) == unescape(text, _QUOTES)


@pytest.mark.parametrize(("text", "value"), [("&amp;lt;", "&lt;"), ("&quot;e&quot;", '"e"'), ("a&b", "a&b")])
def test_an_ampersand_is_taken_last(text: str, value: str) -> None:
    assert unescaped(text) == value


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_what_fits_comes_through_a_parser_and_what_does_not_is_told(text: str) -> None:
    """Against the standard library's parser, which is the one that S3 servers have too (expat)."""
    try:
        parsed = ElementTree.fromstring(f"<Key>{escaped(text)}</Key>".encode()).text
    except ElementTree.ParseError:
        parsed = None
    assert fits(text.encode()) == (parsed == text)
