"""What all chaos tests share: the count of crash points, written at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.tally import Tallies, Tally

SAMPLE = 2
"""So many points of each step or verb are tried by ``make test``."""


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


@pytest.fixture(params=[pytest.param(True, id="sample"), pytest.param(False, id="all", marks=pytest.mark.chaos)])
def is_sample(request: pytest.FixtureRequest) -> bool:
    """Whether this is what ``make test`` tries, and not ``make test-chaos``."""
    return bool(request.param)


@pytest.fixture
def share(is_sample: bool) -> int | None:
    """How many points of a step or verb are tried; None for all of them."""
    return SAMPLE if is_sample else int(os.environ.get("CHAOS_POINTS") or 0) or None


@pytest.fixture
def tally(is_sample: bool, tallies: Tallies, request: pytest.FixtureRequest) -> Tally:
    """Count the points under the name of the folder; a sample counts for nothing."""
    return Tally() if is_sample else tallies.of(request.path.parent.name)
