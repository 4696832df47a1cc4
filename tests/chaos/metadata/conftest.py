"""A live schema, a point that is to replace it, and a count of the moments at which that was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.chaos.metadata.stage")

from lab.servers.mariadb import MariaDb  # noqa: E402
from lab.testbed import Pair  # noqa: E402
from tests.chaos.metadata.stage import Stage, build_new, made_places  # noqa: E402
from tests.chaos.tally import Tally  # noqa: E402


@pytest.fixture
def stage(mariadb_pair: Pair[MariaDb], tmp_path: Path, share: int | None, tally: Tally) -> Iterator[Stage]:
    with made_places(mariadb_pair) as (primary, dr):
        build_new(primary)
        yield Stage(primary, dr, tmp_path, share, tally)
