"""``kill -9`` of the worker around every request that changes a bucket, and every record that becomes durable here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.servers.ceph import CephS3
from tests.builders.s3 import make_bucket
from tests.builders.storage import Pair, put
from tests.chaos.storage.places import BucketPair, Place, make
from tests.chaos.storage.stage import ALL_POINTS, Stage, Worker, points
from tests.chaos.tally import Tally

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800), ALL_POINTS]

AT_A = {b"a": b"1", b"t/x": b"old", b"t/gone": b"old", b"same": b"0"}
AT_B = {b"a": b"22", b"t/x": b"new", b"t/new": b"new", b"same": b"0"}


@dataclass
class BucketStage(Stage):
    """A bucket cannot be copied with its versions, so the story is told again in a new one for each crash.

    :ivar before: the steps of it that come before the one that is killed.
    """

    server: CephS3 | None = None
    before: Sequence[str] = ()
    place: Place = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make no template."""

    def fresh(self) -> Pair:
        """Return a pair whose bucket is at point A, and whose source has moved on."""
        assert self.server is not None
        bucket = make_bucket(self.server)
        self.place = {
            "kind": "s3",
            "lab": str(self.server.lab.root),
            "base": self.server.lab.base,
            "bucket": bucket.name,
        }
        shutil.rmtree(self.root / "pair", ignore_errors=True)
        pair = make(self.root / "pair", self.place)
        put(pair.source, dict(AT_A))
        pair.seal("A", minute=1)
        pair.apply("A")
        (pair.source / "t/gone").unlink()
        put(pair.source, {path: content for path, content in AT_B.items() if AT_A.get(path) != content})
        put(pair.source, {"half.parquet": b"PAR1"})
        for step in self.before:
            self.finish(step, pair)
        return pair


@pytest.fixture
def tell(root: Path, worker: Worker, share: int | None, tally: Tally, s3_server: CephS3) -> Callable[..., BucketStage]:
    def told(*before: str) -> BucketStage:
        return BucketStage(root, worker, share, tally, server=s3_server, before=before)

    return told


def live(pair: Pair) -> dict[bytes, bytes]:
    assert isinstance(pair, BucketPair)
    return pair.bucket.content()


def ensure_nothing_is_partial(pair: Pair) -> None:
    """What a key shows is, whatever happened, one whole version of what was at the source."""
    known = {b"half.parquet": [b"PAR1"]}
    for path, content in live(pair).items():
        assert content in known.get(path, [state[path] for state in (AT_A, AT_B) if path in state]), path


def ensure_versions_are_kept(pair: Pair) -> None:
    """Both points can be reached, in both directions."""
    for target, state in (("A", AT_A), ("B", AT_B), ("A", AT_A)):
        pair.apply(target)
        assert live(pair) == state


def test_a_copy_to_a_bucket(tell: Callable[..., BucketStage]) -> None:
    stage = tell()

    def ensure(pair: Pair) -> None:
        assert points(pair) == ["A"]
        ensure_nothing_is_partial(pair)
        for step in ("copy", "check", "seal"):
            stage.finish(step, pair)
        ensure_versions_are_kept(pair)

    stage.kill_everywhere("copy", ensure)


def test_a_copy_to_a_bucket_that_nobody_goes_on_with(tell: Callable[..., BucketStage]) -> None:
    """A cutover to A comes instead: what was staged is not in it."""
    stage = tell()

    def ensure(pair: Pair) -> None:
        stage.finish("collect", pair)
        stage.finish("apply A", pair)
        assert live(pair) == AT_A

    stage.kill_everywhere("copy", ensure)


def test_an_apply_in_a_bucket(tell: Callable[..., BucketStage]) -> None:
    stage = tell("copy", "check", "seal")

    def ensure(pair: Pair) -> None:
        ensure_nothing_is_partial(pair)
        stage.finish("apply B", pair)
        assert (live(pair), pair.catalog.live_point_id()) == (AT_B, "B")
        ensure_versions_are_kept(pair)

    stage.kill_everywhere("apply B", ensure)


def test_a_way_back_in_a_bucket(tell: Callable[..., BucketStage]) -> None:
    stage = tell("copy", "check", "seal", "apply B")

    def ensure(pair: Pair) -> None:
        ensure_nothing_is_partial(pair)
        stage.finish("apply A", pair)
        assert live(pair) == AT_A
        ensure_versions_are_kept(pair)

    stage.kill_everywhere("apply A", ensure)


def test_a_point_of_a_bucket_that_was_being_dropped(tell: Callable[..., BucketStage]) -> None:
    """B is dropped; A stays whole at every moment."""
    stage = tell("copy", "check", "seal")

    def ensure(pair: Pair) -> None:
        assert points(pair)[0] == "A"
        stage.finish("prune", pair)
        assert points(pair) == ["A"]
        stage.finish("apply A", pair)
        assert live(pair) == AT_A

    stage.kill_everywhere("prune", ensure)
