"""Tokens are good for whoever issued them, unchanged, and until their end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.incorta.tokens import is_valid, issue


def test_a_token_is_good_until_its_end_and_with_its_secret_only() -> None:
    token = issue(b"secret", "admin", expires_at=100)
    assert token.count(".") == 2
    assert is_valid(b"secret", token, now=99.9)
    assert not is_valid(b"secret", token, now=100)
    assert not is_valid(b"other", token, now=0)


@given(st.text(max_size=60))
def test_no_other_text_is_a_token(text: str) -> None:
    assert not is_valid(b"secret", text, now=0)
