"""What all chaos tests share: the count of crash points, written at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.tally import Tallies


@pytest.fixture(scope="session")
def tallies() -> Iterator[Tallies]:
    """Count the crash points of this run."""
    counted = Tallies()
    yield counted
    counted.save()
