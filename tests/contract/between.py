"""What happens to a source between its listing and the copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.contract.world import World


def during_listing(world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have something happen between the listing of the source and the copy."""
    tree = world.source.tree()
    kind: Any = type(tree)
    original = kind.list

    def listed(self: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
        entries = list(original(self, *arguments, **named))
        act()
        return iter(entries)

    monkeypatch.setattr(kind, "list", listed)


def vanish(world: World, path: bytes) -> None:
    """Remove a file of the source, unless it is gone."""
    with suppress(FileNotFoundError):
        world.source.remove(path)
