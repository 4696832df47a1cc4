"""Values in XML: ours against the standard library's."""

from __future__ import annotations

from xml.sax.saxutils import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.storage.s3.markup import escaped, unescaped

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
