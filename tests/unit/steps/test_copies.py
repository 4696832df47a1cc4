from __future__ import annotations

import os
from socket import gethostname

from incorta_provider.steps.bandwidth import set_bandwidth
from incorta_provider.steps.copies import copy_lines
from incorta_provider.storage.flow.oversight import Controls, Oversight
from incorta_provider.storage.flow.progress import Total
from tests.builders.group import Bench


def test_shards_that_are_under_way_are_told_and_those_that_died_are_not(bench: Bench) -> None:
    site = bench.access.site("newyork")
    assert list(copy_lines(site)) == []
    workspace = site.catalog.workspace("run 1")
    total = Total(4, 4000)
    with (
        Oversight(total, Controls(), workspace, "", shard=0),
        Oversight(total, Controls(), workspace, "", shard=1),
    ):
        os.utime(workspace.root / "progress.00.json", (0, 0))
        (line,) = copy_lines(site)
    assert line.startswith(f"shard 1 on {gethostname()}, as of ")
    assert line.endswith(" UTC: copied 0 of 4 files, 0 B of 4.0 kB (0%); 0 B/s, 0 files/s; time left unknown")
    assert list(copy_lines(site)) == []


def test_a_limit_that_a_person_set_is_told(bench: Bench) -> None:
    site = bench.access.site("newyork")
    set_bandwidth(bench.access, site, 20_000_000, by="dana")
    assert list(copy_lines(site)) == ["bandwidth: at most 20.0 MB/s, set by dana at 2026-11-25 12:00:00 UTC"]
