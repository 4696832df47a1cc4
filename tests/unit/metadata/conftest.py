"""A session that answers from a script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


class FakeCursor:
    def __init__(self, answers: Callable[[str], list[tuple[Any, ...]]]) -> None:
        self._answers = answers
        self._rows: list[tuple[Any, ...]] = []

    def __enter__(self) -> FakeCursor:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, query: str, values: object = None) -> int:
        self._rows = self._answers(query)
        return len(self._rows)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


class FakeSession:
    """Answers each query with the rows that ``answers`` returns for it."""

    def __init__(self, answers: Callable[[str], list[tuple[Any, ...]]]) -> None:
        self._answers = answers
        self.rolled_back = 0

    def cursor(self, kind: object = None) -> FakeCursor:
        return FakeCursor(self._answers)

    def rollback(self) -> None:
        self.rolled_back += 1


@pytest.fixture
def fake_session() -> type[FakeSession]:
    return FakeSession
