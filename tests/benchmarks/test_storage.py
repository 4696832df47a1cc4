"""S1 to S5: our replication of files against the tools that people use, and against itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.child import in_child
from tests.benchmarks.contest import Contender, Sample, command, compete
from tests.benchmarks.ours_storage import ALL_PASSES as EVERY_STEP
from tests.benchmarks.ours_storage import ONE_PASS, PASSING_OVER, replicate
from tests.benchmarks.report import ALL_PASSES, OURS, Report
from tests.benchmarks.sizes import Size
from tests.benchmarks.trees import Changes, Tree, differences, remove, set_aside, warm

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

KIB, MIB = 1 << 10, 1 << 20
_numbers = itertools.count(1)


def ours(pair: Path, *steps: str) -> Sample:
    """Make one point from ``source`` to ``live`` and ``catalog`` below ``pair``, or do some steps of it."""
    return in_child(replicate, pair, next(_numbers), steps)


def rsync(source: Path, target: Path, *options: str) -> Sample:
    return command("rsync", "-a", *options, f"{source}/", f"{target}/")


def cp(source: Path, target: Path) -> Sample:
    return command("cp", "-a", f"{source}/.", str(target))


def first_sync(scratch: Path, tree: Tree, clear: Callable[..., None]) -> dict[str, Contender]:
    """Return contenders that each start from a source in memory and no target.

    :param clear: gets the targets of the round before out of the way.
    """
    target = scratch / "target"

    def prepare() -> None:
        clear(scratch / "live", scratch / "catalog")
        warm(tree.root)

    def prepare_folder() -> None:
        clear(target)
        target.mkdir()
        warm(tree.root)

    tree.make()
    contenders = (
        Contender(OURS, partial(ours, scratch, *ONE_PASS), prepare),
        Contender("rsync -a", partial(rsync, tree.root, target), prepare_folder),
        Contender("cp -a", partial(cp, tree.root, target), prepare_folder),
    )
    return {contender.name: contender for contender in contenders}


def test_s1_first_sync_of_many_small_files(scratch: Path, size: Size, storage_report: Report) -> None:
    tree = Tree(scratch / "source", first=size.many_files, size=8 * KIB)
    everyone = first_sync(scratch, tree, set_aside)
    samples = compete(everyone[OURS], everyone["rsync -a"])
    assert differences(tree.root, scratch / "live") == ""
    storage_report.add(
        "S1",
        "first sync of many small files",
        samples,
        {"rsync -a": 0.5},
        size=f"{size.many_files:,} new files of about 8 KB",
    )


def test_s2_first_sync_of_few_big_files(scratch: Path, size: Size, storage_report: Report) -> None:
    tree = Tree(scratch / "source", first=size.big_files, size=size.big_mib * MIB)
    everyone = first_sync(scratch, tree, remove)
    samples = compete(everyone[OURS], everyone["rsync -a"], everyone["cp -a"])
    assert differences(tree.root, scratch / "target") == ""
    storage_report.add(
        "S2",
        "first sync of few big files",
        samples,
        {"rsync -a": 0.7, "cp -a": 1.2},
        size=f"{size.big_files} new files of about {size.big_mib} MB",
    )


class Replicated:
    """A large tree, and two replicas of it: ours and rsync's."""

    def __init__(self, pair: Path, files: int) -> None:
        self.pair = pair
        self.tree = Tree(pair / "source", first=files, size=256)
        self.target = pair / "target"
        self.tree.make()
        ours(pair, *ONE_PASS)
        rsync(self.tree.root, self.target)

    def contest(self, steps: tuple[str, ...] = ONE_PASS) -> tuple[Contender, Contender]:
        return (
            Contender(OURS, partial(ours, self.pair, *steps), self._warm),
            Contender("rsync -a --delete", partial(rsync, self.tree.root, self.target, "--delete"), self._warm),
        )

    def all_passes(self) -> Contender:
        return Contender(ALL_PASSES, partial(ours, self.pair, *EVERY_STEP), self._warm)

    def assert_equal(self) -> None:
        assert differences(self.tree.root, self.pair / "live") == ""
        assert differences(self.tree.root, self.target) == ""

    def _warm(self) -> None:
        warm(self.tree.root, self.pair / "live", self.target, content=False)


@pytest.fixture(scope="module")
def large(scratch_of_module: Path, size: Size) -> Iterator[Replicated]:
    """The tree of S3, S4 and S5, each of which leaves it in order for the next."""
    yield Replicated(scratch_of_module, size.tree_files)
    remove(scratch_of_module)


def test_s3_many_files_few_changes(large: Replicated, size: Size, storage_report: Report) -> None:
    job = size.load_job
    samples = compete(*large.contest(), before_round=partial(large.tree.change, job))
    large.assert_equal()
    storage_report.add(
        "S3",
        "few changes in a large tree",
        samples,
        {"rsync -a --delete": 0.6},
        size=f"{size.tree_files:,} files, +{job.added:,} ~{job.changed:,} -{job.removed:,}",
    )


def test_s4_many_files_no_change(large: Replicated, size: Size, storage_report: Report) -> None:
    samples = compete(*large.contest(), large.all_passes())
    large.assert_equal()
    storage_report.add(
        "S4",
        "no change in a large tree",
        samples,
        {"rsync -a --delete": 0.5},
        size=f"{size.tree_files:,} files, nothing changed",
    )


def test_s4p_many_files_no_change_passed_over(large: Replicated, size: Size, storage_report: Report) -> None:
    """As between two full looks, in a tree that is immutable as a whole; nothing of it changed in the point before."""
    ours(large.pair, *ONE_PASS)
    samples = compete(*large.contest(PASSING_OVER))
    large.assert_equal()
    storage_report.add(
        "S4p",
        "no change in a large tree, unchanged folders passed over",
        samples,
        {"rsync -a --delete": 0.1},
        size=f"{size.tree_files:,} files, nothing changed",
    )


def test_s5_seal_and_apply_by_size_of_tree(
    large: Replicated, scratch: Path, size: Size, storage_report: Report
) -> None:
    """The same changes in as many folders of a small tree and of a large one; and in more folders of the large one."""
    small = Tree(scratch / "source", first=size.small_tree_files, size=256)
    small.make()
    ours(scratch, *ONE_PASS)
    itself = f"itself, {size.small_tree_files:,} files"
    wide = f"{OURS}, in more folders"
    in_as_many_folders = size.small_tree_files
    samples = compete(
        publishing(OURS, large.pair, large.tree, size.publish, in_as_many_folders),
        publishing(wide, large.pair, large.tree, size.publish),
        publishing(itself, scratch, small, size.publish),
    )
    assert differences(large.tree.root, large.pair / "live") == ""
    changes = size.publish.added + size.publish.changed + size.publish.removed
    what = f"{changes:,} changes in {size.tree_files:,} files"
    for name, contender, where in (("S5", OURS, "as many folders"), ("S5w", wide, "more folders")):
        storage_report.add(
            name,
            "seal and apply by the size of the tree",
            {OURS: samples[contender], itself: samples[itself]},
            {itself: 1.3},
            size=f"{what}, {where}",
        )


def publishing(name: str, pair: Path, tree: Tree, changes: Changes, among: int | None = None) -> Contender:
    """Return a contender that is timed from the checked copy on, until the replica is the point.

    :param among: see :meth:`Tree.change`.
    """

    def prepare() -> None:
        nonlocal number
        number = next(_numbers)
        tree.change(changes, among)
        in_child(replicate, pair, number, ("final copy", "check"))
        warm(pair / "live", content=False)

    def run() -> Sample:
        return in_child(replicate, pair, number, ("seal", "apply"))

    number = 0
    return Contender(name, run, prepare)
