"""The phases of the benchmarks name functions that the product still has."""

from __future__ import annotations

import pytest

from tests.benchmarks import ours_metadata, ours_ssh, ours_storage
from tests.benchmarks.phases import Split


@pytest.mark.parametrize(
    "splits",
    [
        ours_metadata.DUMP_SPLITS,
        ours_metadata.PROVE_SPLITS,
        ours_metadata.SWITCH_SPLITS,
        ours_ssh.SPLITS,
        ours_storage.SPLITS,
    ],
)
def test_each_phase_is_a_function(splits: tuple[Split, ...]) -> None:
    assert [name for owner, name, _ in splits if not callable(getattr(owner, name, None))] == []
