"""Patterns of paths that are left out."""

from __future__ import annotations

import pytest

from incorta_provider.storage.exclude import Exclude


@pytest.mark.parametrize(
    ("pattern", "path", "is_folder", "left_out"),
    [
        ("*/.tmp/*", b"t/.tmp/x", False, True),
        ("*/.tmp/*", b"t/a/.tmp/b/x", False, True),
        ("*/.tmp/*", b"t/.tmp", True, True),
        ("*/.tmp/*", b"t/.tmp", False, False),
        ("*/.tmp/*", b"t/.tmpx/x", False, False),
        ("*.log", b"a/b.log", False, True),
        ("*.log", b"a/b.LOG", False, False),
        ("*.log", b"a.log.old", False, False),
        ("logs/", b"logs", True, True),
        ("logs/", b"logs", False, False),
        ("a", b"a", False, True),
        ("a", b"b/a", False, False),
        ("a?", "aé".encode(), False, True),
        ("*", b"\xff\xfe\nx", False, True),
        ("x[0-9]", b"x5", False, True),
        ("a.b", b"a+b", False, False),
    ],
)
def test_what_a_pattern_leaves_out(pattern: str, path: bytes, is_folder: bool, left_out: bool) -> None:
    assert Exclude([pattern]).matches(path, is_folder=is_folder) == left_out


def test_any_of_several_patterns_is_enough_and_none_leaves_out_nothing() -> None:
    assert Exclude(["a", "b"]).matches(b"b", is_folder=False)
    assert not Exclude(["a", "b"]).matches(b"c", is_folder=False)
    assert not Exclude([]).matches(b"", is_folder=True)
