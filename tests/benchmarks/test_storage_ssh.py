"""S6: first sync over SSH, through a relay that makes each connection as slow as one over a lossy line is."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from incorta_provider.connection import ConnectionInfo
from lab.servers.sshd import Sshd
from tests.benchmarks.child import in_child
from tests.benchmarks.contest import Contender, Sample, command, compete
from tests.benchmarks.ours_ssh import replicate_from_node
from tests.benchmarks.relay import Line, relay_process
from tests.benchmarks.report import OURS, Report
from tests.benchmarks.sizes import Size
from tests.benchmarks.trees import Tree, differences, remove, warm

pytestmark = [pytest.mark.bench, pytest.mark.lab, pytest.mark.timeout(3600)]

KIB, MIB = 1 << 10, 1 << 20
BIG_FILES = 4
LINE = Line(delay=0.010, rate=3_000_000)
"""10 ms each way, and what one stream gets over a lossy WAN."""


def test_s6_first_sync_over_ssh(scratch: Path, size: Size, storage_report: Report, sshd_nodes: dict[str, Sshd]) -> None:
    sshd = sshd_nodes["berlin_node1"]
    source, target = scratch / "source", scratch / "target"
    Tree(source / "small", first=size.ssh_files, size=8 * KIB).make()
    Tree(source / "big", first=BIG_FILES, size=size.ssh_big_mib * MIB).make()
    numbers = itertools.count(1)

    def prepare() -> None:
        remove(scratch / "live", scratch / "catalog", target)
        target.mkdir()
        warm(source)

    with relay_process(sshd.port, LINE) as port:
        node = ConnectionInfo(
            "berlin_node1",
            host=sshd.host,
            port=port,
            login=sshd.user,
            extra={"key_file": str(sshd.key_file), "host_key": sshd.host_key},
        )

        def ours() -> Sample:
            return in_child(replicate_from_node, scratch, next(numbers), node)

        def theirs() -> Sample:
            known = scratch / "known_hosts"
            known.write_text(f"[{sshd.host}]:{port} {sshd.host_key}\n")
            shell = f"ssh -F none -p {port} -i {sshd.key_file} -o UserKnownHostsFile={known}"
            return command("rsync", "-a", "-e", shell, f"{sshd.user}@{sshd.host}:{source}/", f"{target}/")

        samples = compete(Contender(OURS, ours, prepare), Contender("rsync -a over ssh", theirs, prepare))
    assert differences(source, target) == ""
    storage_report.add(
        "S6",
        "first sync over SSH",
        samples,
        {"rsync -a over ssh": 0.4},
        size=f"{size.ssh_files:,} of about 8 KB, {BIG_FILES} of {size.ssh_big_mib} MB, slow line",
    )
