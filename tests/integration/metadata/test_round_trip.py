from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.prove import prove

pytestmark = pytest.mark.lab


def test_everything_survives(nasty, dr, folder):
    report = dump(nasty.endpoint, folder)
    print(report)
    diffs = prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="run-1")
    for d in diffs:
        print(d)
    assert diffs == []
