"""A live schema, a point that is to replace it, and a count of the moments at which that was cut off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.chaos.metadata.stage")

from lab.servers.mariadb import MariaDb  # noqa: E402
from lab.testbed import Pair  # noqa: E402
from tests.chaos.metadata.stage import Stage, build_new, made_places  # noqa: E402
from tests.chaos.tally import Tallies, Tally  # noqa: E402

SAMPLE = 2
"""So many points of each verb are tried by ``make test``."""


@pytest.fixture(params=[pytest.param(True, id="sample"), pytest.param(False, id="all", marks=pytest.mark.chaos)])
def is_sample(request: pytest.FixtureRequest) -> bool:
    """Whether this is what ``make test`` tries, and not ``make test-chaos``."""
    return bool(request.param)


@pytest.fixture
def share(is_sample: bool) -> int | None:
    """How many points of a verb are tried; None for all of them."""
    return SAMPLE if is_sample else int(os.environ.get("CHAOS_POINTS") or 0) or None


@pytest.fixture
def tally(is_sample: bool, tallies: Tallies) -> Tally:
    """Count the points; a sample counts for nothing."""
    return Tally() if is_sample else tallies.of("metadata")


@pytest.fixture
def stage(mariadb_pair: Pair[MariaDb], tmp_path: Path, share: int | None, tally: Tally) -> Iterator[Stage]:
    with made_places(mariadb_pair) as (primary, dr):
        build_new(primary)
        yield Stage(primary, dr, tmp_path, share, tally)
