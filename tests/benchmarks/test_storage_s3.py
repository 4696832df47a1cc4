"""S7 to S9: our replication into a bucket against s5cmd and rclone, on one real S3 server.

Everyone writes into versioned buckets of the same server, whose work is most of the time: what is compared is how much
of it each asks for. The others check no content; ours has a SHA-256 of each object, and a proof that it is stored.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from incorta_provider.connection import ConnectionInfo
from lab.layout import Lab
from lab.servers.ceph import REGION, CephS3
from lab.supervisor import Supervisor
from tests.benchmarks.child import in_child
from tests.benchmarks.contest import Clocks, Contender, Sample, compete
from tests.benchmarks.ours_s3 import replicate
from tests.benchmarks.report import OURS, Report
from tests.benchmarks.sizes import Size
from tests.builders.s3 import TestBucket, make_bucket

pytestmark = [pytest.mark.bench, pytest.mark.lab, pytest.mark.timeout(7200)]

KIB, MIB = 1 << 10, 1 << 20
S5CMD = Path(sys.executable).with_name("s5cmd")
_numbers = itertools.count(1)


@pytest.fixture
def server(lab_layout: Lab, request: pytest.FixtureRequest) -> Iterator[CephS3]:
    """Start the S3 server with its objects where the test says."""
    server = CephS3(lab_layout, on_disk=request.param == "disk")
    server.start(Supervisor(lab_layout))
    yield server
    server.stop(Supervisor(lab_layout))


ON_DISK = pytest.mark.parametrize("server", ["disk"], indirect=True)
IN_MEMORY = pytest.mark.parametrize("server", ["memory"], indirect=True)
"""Where buckets are large and little of them changes: to fill them on disk takes 40 minutes."""


@dataclass(frozen=True)
class Tools:
    """The programs that people use, and ours, at one server."""

    server: CephS3
    scratch: Path

    @property
    def connection(self) -> ConnectionInfo:
        return self.server.connection("aws_bench")

    def ours(self, source_url: str, target: TestBucket) -> Sample:
        """Make one point; the catalog of each target is its own."""
        catalog = self.scratch / target.name
        return in_child(replicate, catalog, self.connection, source_url, f"s3://{target.name}/", next(_numbers))

    def s5cmd(self, *argv: str) -> Sample:
        return self._timed(str(S5CMD), "--log", "error", *argv)

    def rclone(self, *argv: str) -> Sample:
        return self._timed("rclone", *argv)

    def _timed(self, *argv: str) -> Sample:
        started = Clocks.now()
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env=self._environment())
        took = Clocks.now().since(started)
        return Sample(took.wall, took.cpu)

    def _environment(self) -> dict[str, str]:
        keys = self.server.user("lab")
        return {
            **{name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"},  # rclone cannot load it
            "AWS_ACCESS_KEY_ID": keys.access,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
            "AWS_REGION": REGION,
            "S3_ENDPOINT_URL": self.server.endpoint,
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_LAB_TYPE": "s3",
            "RCLONE_CONFIG_LAB_PROVIDER": "Ceph",
            "RCLONE_CONFIG_LAB_ENV_AUTH": "true",
            "RCLONE_CONFIG_LAB_ENDPOINT": self.server.endpoint,
        }


@pytest.fixture
def tools(server: CephS3, scratch: Path) -> Tools:
    return Tools(server, scratch)


class Fresh:
    """A new, empty, versioned bucket for each run of a contender."""

    def __init__(self, server: CephS3) -> None:
        self._server = server
        self.now = make_bucket(server)

    def renew(self) -> None:
        """Take another one, and have the server drop the old one's content."""
        self.now = make_bucket(self._server)


def files(folder: Path, count: int, size: int) -> None:
    """Write files of random bytes, a hundred a folder."""
    for number in range(count):
        path = folder / f"d{number // 100:05d}" / f"part-{number:07d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))


def filled(tools: Tools, folder: Path) -> TestBucket:
    """Return a bucket with the files of a folder."""
    bucket = make_bucket(tools.server, versioned=False)
    tools.s5cmd("cp", f"{folder}/", f"s3://{bucket.name}/")
    return bucket


def same_keys(one: TestBucket, other: TestBucket) -> bool:
    """Tell whether two buckets have the same keys with the same ETags."""
    first, second = (dict(_etags(bucket)) for bucket in (one, other))
    return first == second


def _etags(bucket: TestBucket) -> Iterator[tuple[str, str]]:
    for page in bucket.sdk.get_paginator("list_objects_v2").paginate(Bucket=bucket.name):
        for found in page.get("Contents", ()):
            yield found["Key"], found["ETag"]


@ON_DISK
def test_s7_bucket_to_bucket(tools: Tools, size: Size, storage_report: Report) -> None:
    files(tools.scratch / "files", size.s3_objects, 16 * KIB)
    source = filled(tools, tools.scratch / "files")
    mine, s5, rc = (Fresh(tools.server) for _ in range(3))
    samples = compete(
        Contender(OURS, lambda: tools.ours(f"s3://{source.name}/", mine.now), mine.renew),
        Contender("s5cmd cp", lambda: tools.s5cmd("cp", f"s3://{source.name}/*", f"s3://{s5.now.name}/"), s5.renew),
        Contender("rclone copy", lambda: tools.rclone("copy", f"lab:{source.name}", f"lab:{rc.now.name}"), rc.renew),
    )
    assert same_keys(source, mine.now)
    assert same_keys(source, s5.now)
    storage_report.add(
        "S7",
        "bucket to bucket",
        samples,
        {"s5cmd cp": 1.0, "rclone copy": 1.0},
        size=f"{size.s3_objects:,} objects of 16 KB",
    )


@IN_MEMORY
def test_s8_a_bucket_where_little_changed(tools: Tools, size: Size, storage_report: Report) -> None:
    """Let rclone compare ETags, as its manual advises: by default it asks for the time of each object, one by one."""
    files(tools.scratch / "files", size.s3_tree_objects, KIB)
    source = filled(tools, tools.scratch / "files")
    mine, s5, rc = (make_bucket(tools.server) for _ in range(3))
    changed = tools.scratch / "changed"
    keys = [str(path.relative_to(tools.scratch / "files")) for path in (tools.scratch / "files").rglob("*.bin")]
    sync = partial(tools.s5cmd, "sync", "--size-only", f"s3://{source.name}/*", f"s3://{s5.name}/")
    rclone = partial(tools.rclone, "sync", "--checksum", "--fast-list", f"lab:{source.name}", f"lab:{rc.name}")
    ours = partial(tools.ours, f"s3://{source.name}/", mine)
    for first in (ours, sync, rclone):
        first()

    def change() -> None:
        """Give a hundred objects another content and another size."""
        for key in keys[: size.s3_changed]:
            path = changed / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(KIB + next(_numbers)))
        tools.s5cmd("cp", f"{changed}/", f"s3://{source.name}/")

    samples = compete(
        Contender(OURS, ours), Contender("s5cmd sync", sync), Contender("rclone sync", rclone), before_round=change
    )
    assert same_keys(source, mine)
    assert same_keys(source, s5)
    storage_report.add(
        "S8",
        "bucket where little changed",
        samples,
        {"s5cmd sync": 0.5, "rclone sync": 0.5},
        size=f"{size.s3_tree_objects:,} objects, {size.s3_changed:,} changed",
    )


@ON_DISK
def test_s9_files_to_bucket(tools: Tools, size: Size, storage_report: Report) -> None:
    folder = tools.scratch / "files"
    files(folder, size.s3_files, MIB)
    mine, s5 = Fresh(tools.server), Fresh(tools.server)
    samples = compete(
        Contender(OURS, lambda: tools.ours(folder.as_uri(), mine.now), mine.renew),
        Contender("s5cmd cp", lambda: tools.s5cmd("cp", f"{folder}/", f"s3://{s5.now.name}/"), s5.renew),
    )
    assert same_keys(mine.now, s5.now)
    storage_report.add("S9", "files to a bucket", samples, {"s5cmd cp": 1.0}, size=f"{size.s3_files:,} files of 1 MB")
