"""What all chaos tests share: the count of crash points, written at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.tally import Tallies


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of hundreds of crashes their time."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def tallies() -> Iterator[Tallies]:
    """Count the crash points of this run."""
    counted = Tallies()
    yield counted
    counted.save()
