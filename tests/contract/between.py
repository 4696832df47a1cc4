"""What happens to a source between its listing and the copy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.contract.world import World


def behind_listing(world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have something happen in each pass when the target is asked for room: the source is listed, nothing is copied."""
    kind: Any = type(world.target)
    original = kind.ensure_room

    def asked(self: Any, **needed: int) -> None:
        original(self, **needed)
        act()

    monkeypatch.setattr(kind, "ensure_room", asked)


def vanish(world: World, path: bytes) -> None:
    """Remove a file of the source, unless it is gone."""
    with suppress(FileNotFoundError):
        world.source.remove(path)
