from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks.contest import Sample
from tests.benchmarks.report import OURS, Report

SAMPLES = {OURS: [Sample(1.0, 1.0), Sample(3.0, 1.0), Sample(2.0, 1.0)], "rsync -a": [Sample(4.0, 2.0)] * 3}


def test_work_that_this_run_did_not_measure_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "storage.json"
    for row_id in ("S2", "S1", "S2"):
        Report(path, "pytest").add(row_id, "some work", SAMPLES, {"rsync -a": 0.5}, size="5 files")
    rows = json.loads(path.read_text())
    assert [row["id"] for row in rows] == ["S1", "S2"]
    expected = {"ours_s": 2.0, "theirs_s": 4.0, "against": "rsync -a", "ratio": 0.5, "bar": 0.5, "peak_mib": 0.0}
    assert expected.items() <= rows[0].items()
