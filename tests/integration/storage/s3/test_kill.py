"""SIGKILL at a request, before the server got it or after: the next try ends with the same points and loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count, takewhile
from pathlib import Path

import pytest

from incorta_provider.storage.s3 import copiers, objects
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.s3_relay import Answered, Asked, Forward, Relay, lost, relayed
from tests.builders.storage import put
from tests.integration.storage.s3.replication import Replication
from tests.integration.storage.s3.worker import FOLDER, forward_and_back, replication

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[4]
BEFORE = {b"a": b"1", b"t/x": b"2", b"t/gone": b"3", b"keep": b"4"}
AFTER = {b"a": b"11", b"t/x": b"22", b"keep": b"4", b"new": b"5"}


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what the ways of copying set in this process too."""
    monkeypatch.setattr(copiers, "SMALL_BYTES", copiers.SMALL_BYTES)
    monkeypatch.setattr(objects, "COPY_BYTES", objects.COPY_BYTES)


def prepared(root: Path, server: CephS3, way: str) -> tuple[TestBucket, str, Replication]:
    """Return a bucket that is point A, and a source as point B will be, with how the worker is told of it."""
    site = make_bucket(server)
    if way == FOLDER:
        put(root / "source", BEFORE)
        run = replication(root, server.endpoint, site.name, site.bucket().access.keys)
        run.replicate("A")
        shutil.rmtree(root / "source")
        put(root / "source", AFTER)
        return site, FOLDER, run
    root.mkdir(exist_ok=True)
    bucket = make_bucket(server, versioned=False)
    bucket.put({key.decode(): content for key, content in BEFORE.items()})
    source = f"{bucket.name}:{way}"
    run = replication(root, server.endpoint, site.name, site.bucket().access.keys, source)
    run.replicate("A")
    bucket.put({key.decode(): content for key, content in AFTER.items() if BEFORE.get(key) != content})
    bucket.remove("t/gone")
    return site, source, run


def start(root: Path, endpoint: str, site: TestBucket, source: str) -> subprocess.Popen[str]:
    keys = site.bucket().access.keys
    module = "tests.integration.storage.s3.worker"
    argv = [sys.executable, "-m", module, str(root), endpoint, site.name, keys.access, source]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, cwd=ROOT, text=True)


def let_begin(process: subprocess.Popen[str], site: TestBucket) -> None:
    """Give a process what it waits for: who is to kill it knows it by then."""
    assert process.stdin is not None
    process.stdin.write(site.bucket().access.keys.secret + "\n")
    process.stdin.flush()


def killing(
    relay: Relay, number: int, pid: Callable[[], int], *, done: bool
) -> Callable[[Asked, Forward], Answered | None]:
    """Kill the process at its ``number``-th request, which the server does or never sees."""

    def rule(asked: Asked, forward: Forward) -> Answered | None:
        if asked.number != number:
            return forward(asked.body)
        if done:
            forward(asked.body)
        os.kill(pid(), signal.SIGKILL)
        relay.rule = lost  # what it sent besides and nobody has passed on yet
        return None

    return rule


def killed_at(root: Path, server: CephS3, number: int, way: str, *, done: bool) -> bool:
    """Return whether a process was killed there; what it left is finished, and compared."""
    site, source, run = prepared(root, server, way)
    process: list[subprocess.Popen[str]] = []
    with relayed(server.endpoint) as relay:
        relay.rule = killing(relay, number, lambda: process[0].pid, done=done)
        process.append(start(root, relay.endpoint, site, source))
        let_begin(process[0], site)
        status = process[0].wait(timeout=240)
    assert status in {0, -signal.SIGKILL}
    again = replication(root, server.endpoint, site.name, site.bucket().access.keys, source)
    again._minute = run._minute
    forward_and_back(again)
    assert site.content() == AFTER
    assert again.verify("B").equal
    again.target.apply("A")
    assert site.content() == BEFORE
    retained = [again.catalog.manifest_path(point) for point in ("A", "B")]
    again.target.forget(place for place, _ in again.target.leftovers(retained, []))
    again.target.apply("B")
    assert site.content() == AFTER
    return status != 0


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("number", [2, 4])
def test_a_run_that_is_killed_at_a_request_is_finished(
    tmp_path: Path, s3_server: CephS3, number: int, done: bool
) -> None:
    assert killed_at(tmp_path, s3_server, number, FOLDER, done=done)


@pytest.mark.usefixtures("ways")
def test_a_run_from_bucket_to_bucket_that_is_killed_at_a_request_is_finished(tmp_path: Path, s3_server: CephS3) -> None:
    """In the middle of a copy in parts on the server."""
    assert killed_at(tmp_path, s3_server, 12, "parts", done=True)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize("way", [FOLDER, "read", "copied", "parts"])
def test_a_run_that_is_killed_at_any_request_is_finished(tmp_path: Path, s3_server: CephS3, way: str) -> None:
    """At each request until the process ends unkilled, or at the first CHAOS_POINTS."""
    most = int(os.environ.get("CHAOS_POINTS") or 0) or None
    for done in (True, False):
        numbers = count(1) if most is None else range(1, most + 1)
        killed = list(
            takewhile(lambda n, done=done: killed_at(tmp_path / f"{n}-{done}", s3_server, n, way, done=done), numbers)
        )
        assert len(killed) == most if most else len(killed) > 20
