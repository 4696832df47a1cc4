"""A site that was active becomes one that is replicated to, and nothing that it wrote on its own is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.epoch import RoleState, promoting_role
from incorta_provider.dr.plan import StepName
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import FencingError, TransientError
from incorta_provider.services.ports import Port
from incorta_provider.steps.replication import reprotect as reprotect_module
from incorta_provider.steps.replication.apply import apply
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.release import release
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.apply.actual import mark_diverged
from incorta_provider.storage.divergence import Bundle, Bundles, KeptMetadata
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.records.fence_override import FenceOverride, save_override
from incorta_provider.storage.verify import verify_replica
from incorta_provider.storage.volume_target import VolumeTarget
from tests.builders.group import ACTOR, NOON, Bench, cutover_run, frozen_plan
from tests.builders.sealing import sealed

SHARED = {"acme/source/SALES/v1.bin": "one", "acme/source/SALES/v2.bin": "two", "acme/ddm/facts.bin": "facts"}
BEHIND = "acme/source/SALES/v3.bin"
"""What berlin wrote after the point that newyork was promoted from."""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run_to(bench: Bench, target: str, run_id: str) -> ReplicationRun:
    return ReplicationRun(bench.access, bench.access.site(target), run_id, ACTOR)


def point_at(bench: Bench, target: str, run_id: str) -> tuple[RecoveryPoint, int]:
    """Make a point at a site and return it with the number of files that travelled."""
    run = run_to(bench, target, run_id)
    point = sealed(run)
    apply(run)
    release(run)
    bench.clock.go_on(60)
    return point, point.copied_files


def promote(bench: Bench, site: str, *told: str) -> None:
    """Make a site the active one; its services begin to write."""
    current = bench.ensembles.role(site)
    role = promoting_role(current, site, by="hana", run_id=f"m{current.epoch}", at=NOON)
    for each in told:
        bench.ensembles.set_role(each, role.model_copy(update={"state": RoleState.STEADY}))
    mark_diverged(bench.access.site(site).catalog)


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> list[KeptMetadata | None]:
    """Return what is found of the metadata each time, the last one first; nothing when it is empty."""
    found: list[KeptMetadata | None] = []
    monkeypatch.setattr(reprotect_module, "keep_metadata", lambda *_: found.pop() if found else None)
    return found


@pytest.fixture
def moved(bench: Bench, metadata: list[Any]) -> RecoveryPoint:
    """Return the point that newyork was promoted from, while berlin went on for a while."""
    write(bench.storage("berlin"), SHARED)
    point, _ = point_at(bench, "newyork", "scheduled__1")
    write(bench.storage("berlin"), {BEHIND: "three", "acme/ddm/facts.bin": "other facts"})
    (bench.storage("berlin") / "acme/source/SALES/v1.bin").unlink()
    promote(bench, "newyork", "berlin", "newyork")
    write(bench.storage("newyork"), {"acme/source/SALES/w1.bin": "written at newyork"})
    return point


def bundle_of(bench: Bench) -> Bundle:
    (bundle,) = Bundles(bench.access.site("berlin").catalog).all()
    return bundle


def kept_file(bench: Bench, bundle: Bundle, name: str) -> str:
    return (Bundles(bench.access.site("berlin").catalog).folder(bundle.id) / "files" / name).read_text()


def test_only_the_difference_travels_and_what_was_written_apart_is_kept(bench: Bench, moved: RecoveryPoint) -> None:
    point, copied = point_at(bench, "berlin", "scheduled__2")
    assert (point.source, point.epoch, point.files) == ("newyork", 2, 4)
    assert copied == 3  # w1 is new, v1 and facts are not as berlin left them; v2 did not travel
    berlin, newyork = bench.access.site("berlin"), bench.access.site("newyork")
    report = verify_replica(berlin.target, berlin.catalog.manifest_path(point.id), deep=True)
    assert report.equal
    listed = {path.relative_to(bench.storage("berlin")) for path in bench.storage("berlin").rglob("*.bin")}
    assert listed == {path.relative_to(bench.storage("newyork")) for path in bench.storage("newyork").rglob("*.bin")}

    bundle = bundle_of(bench)
    assert (bundle.site, bundle.active, bundle.epoch, bundle.point, bundle.point_of) == (
        "berlin",
        "newyork",
        2,
        moved.id,
        "newyork",
    )
    assert (bundle.added, bundle.changed, bundle.deleted, bundle.bytes) == (1, 1, 1, len("three") + len("other facts"))
    assert kept_file(bench, bundle, BEHIND) == "three"
    assert kept_file(bench, bundle, "acme/ddm/facts.bin") == "other facts"
    folder = Bundles(berlin.catalog).folder(bundle.id)
    assert [entry.path for entry in read_manifest(folder / "deleted.parquet")] == [b"acme/source/SALES/v1.bin"]
    assert all(entry.sha256 for entry in read_manifest(folder / "files.parquet"))

    assert bench.events("berlin") == ["divergence.kept", "site.reprotected", "point.sealed"]
    assert berlin.ledger.faults() == []
    assert newyork.catalog.live_point_id() == moved.id


def test_the_run_after_it_is_one_as_any_other(bench: Bench, moved: RecoveryPoint) -> None:
    first, _ = point_at(bench, "berlin", "scheduled__2")
    write(bench.storage("newyork"), {"acme/source/SALES/w2.bin": "second"})
    second, copied = point_at(bench, "berlin", "scheduled__3")
    assert (second.previous, copied) == (first.id, 1)
    assert not (bench.access.site("berlin").catalog.root / "adoption").exists()
    assert len(Bundles(bench.access.site("berlin").catalog).all()) == 1


def test_a_site_that_wrote_nothing_of_its_own_leaves_no_bundle(bench: Bench, metadata: list[Any]) -> None:
    write(bench.storage("berlin"), SHARED)
    point_at(bench, "newyork", "scheduled__1")
    promote(bench, "newyork", "berlin", "newyork")
    point, copied = point_at(bench, "berlin", "scheduled__2")
    assert (point.files, copied) == (3, 0)
    assert Bundles(bench.access.site("berlin").catalog).all() == []
    assert list((bench.access.site("berlin").catalog.root / "divergence").iterdir()) == []
    assert bench.events("berlin") == ["site.reprotected", "point.sealed"]


def test_rows_that_were_written_apart_are_a_bundle_without_any_file(bench: Bench, metadata: list[Any]) -> None:
    write(bench.storage("berlin"), SHARED)
    point_at(bench, "newyork", "scheduled__1")
    promote(bench, "newyork", "berlin", "newyork")
    metadata.append(KeptMetadata(tables=9, rows=300, sha256="0" * 64, differing={"table `TENANT`": 2}))
    point_at(bench, "berlin", "scheduled__2")
    bundle = bundle_of(bench)
    assert bundle.metadata is not None
    assert (bundle.added, bundle.metadata.differing) == (0, {"table `TENANT`": 2})


def test_home_again_the_other_site_is_adopted_in_its_turn(bench: Bench, moved: RecoveryPoint) -> None:
    """The third change of roles: newyork has a catalog of its own, and files of two recovery points."""
    home, _ = point_at(bench, "berlin", "scheduled__2")
    write(bench.storage("newyork"), {"acme/source/SALES/late.bin": "behind the last point"})
    promote(bench, "berlin", "berlin", "newyork")
    write(bench.storage("berlin"), {"acme/source/SALES/v4.bin": "at home"})
    point, copied = point_at(bench, "newyork", "scheduled__3")
    assert (point.source, point.epoch, point.previous) == ("berlin", 3, moved.id)
    assert copied == 1
    (bundle,) = Bundles(bench.catalog).all()
    assert (bundle.site, bundle.point, bundle.point_of, bundle.added) == ("newyork", home.id, "berlin", 1)
    newyork = bench.access.site("newyork")
    assert verify_replica(newyork.target, newyork.catalog.manifest_path(point.id), deep=True).equal


@pytest.mark.parametrize("state", [Port.OPEN, Port.UNKNOWN])
def test_a_site_that_is_not_proven_to_be_stopped_is_left_alone(bench: Bench, moved: RecoveryPoint, state: Port) -> None:
    bench.nodes.ports[("berlin_node1", "loader")] = state
    before = sorted(bench.storage("berlin").rglob("*"))
    with pytest.raises(FencingError, match="berlin was active once and is not fenced: loader of berlin_node1: "):
        open_run(run_to(bench, "berlin", "scheduled__2"))
    assert sorted(bench.storage("berlin").rglob("*")) == before
    assert bench.ensembles.lock("berlin").holder() is None


def test_a_site_whose_fence_did_not_reach_all_parts_is_left_alone_until_it_did(
    bench: Bench, moved: RecoveryPoint
) -> None:
    cutover = cutover_run(bench, "m1")
    frozen_plan(bench, cutover)
    fenced = {"unfenced": True, "stopped": [], "not_reached": {"database": "access denied"}}
    cutover.folder.record(StepName.FENCE, fenced)
    with pytest.raises(FencingError, match="berlin was active once and is not fenced: database: access denied"):
        open_run(run_to(bench, "berlin", "scheduled__2"))
    assert (bench.storage("berlin") / BEHIND).exists()
    cutover.folder.record(StepName.FENCE, {**fenced, "unfenced": False, "not_reached": {}})
    assert open_run(run_to(bench, "berlin", "scheduled__2")).adopted


def test_a_site_that_a_person_opened_again_is_not_written_over(bench: Bench, moved: RecoveryPoint) -> None:
    first, _ = point_at(bench, "berlin", "scheduled__2")
    word = FenceOverride(site="berlin", epoch=first.epoch, by="dana", reason="month's end", at=NOON)
    save_override(bench.catalog.root, word)
    with pytest.raises(FencingError, match="berlin was opened by a person since the roles changed"):
        open_run(run_to(bench, "berlin", "scheduled__3"))
    assert bench.ensembles.lock("berlin").holder() is None


def test_what_is_killed_anywhere_is_gone_on_with_by_the_next_run(
    bench: Bench, moved: RecoveryPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off before the bundle, in the middle of it, and behind it: one bundle, with everything in it."""
    reads: list[int] = []
    read_all = reprotect_module.read_all
    monkeypatch.setattr(reprotect_module, "read_all", lambda *given: reads.append(1) or read_all(*given))

    def cut_off(name: str, do: Callable[..., Any] = lambda *_: None) -> None:
        with monkeypatch.context() as patch:
            owner: Any = VolumeTarget if name == "set_aside" else reprotect_module

            def fail(*given: Any) -> None:
                do(*given)
                raise TransientError("killed")

            patch.setattr(owner, name, fail)
            with pytest.raises(TransientError, match="killed"):
                open_run(run_to(bench, "berlin", f"cut__{name}"))

    def move_one(target: VolumeTarget, paths: Any, folder: str) -> None:
        set_aside(target, [next(iter(paths))], folder)

    set_aside = VolumeTarget.set_aside
    cut_off("keep_metadata")
    cut_off("set_aside", move_one)
    cut_off("_keep")
    cut_off("_note")
    _, copied = point_at(bench, "berlin", "scheduled__2")
    assert copied == 3
    assert len(reads) == 1
    bundle = bundle_of(bench)
    assert (bundle.added, bundle.changed) == (1, 1)
    assert kept_file(bench, bundle, BEHIND) == "three"
    assert kept_file(bench, bundle, "acme/ddm/facts.bin") == "other facts"


def test_a_cut_off_run_whose_site_is_empty_by_now_still_gets_its_bundle(
    bench: Bench, metadata: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bench.storage("berlin"), {"old.bin": "old"})
    point_at(bench, "newyork", "scheduled__1")
    promote(bench, "newyork", "berlin", "newyork")
    shutil.rmtree(bench.storage("berlin"))
    write(bench.storage("berlin"), {"new.bin": "new"})
    with monkeypatch.context() as patch:
        patch.setattr(reprotect_module, "_keep", lambda *_: (_ for _ in ()).throw(TransientError("killed")))
        with pytest.raises(TransientError):
            open_run(run_to(bench, "berlin", "scheduled__2"))
    assert list(bench.storage("berlin").iterdir()) == []
    point_at(bench, "berlin", "scheduled__3")
    bundle = bundle_of(bench)
    assert (bundle.added, bundle.deleted) == (1, 1)
    assert kept_file(bench, bundle, "new.bin") == "new"


def test_a_new_site_is_nobody_s_old_primary(bench: Bench, metadata: list[Any]) -> None:
    """Nothing was promoted yet: what lies at a new site is not of this group, and goes to the history as ever."""
    write(bench.storage("berlin"), SHARED)
    write(bench.storage("newyork"), {"by hand": "x"})
    bench.nodes.ports[("newyork_node1", "loader")] = Port.OPEN
    point, copied = point_at(bench, "newyork", "scheduled__1")
    assert (point.files, copied) == (3, 3)
    assert Bundles(bench.catalog).all() == []
    assert (bench.catalog.history / "unmanaged" / "files" / "by hand").read_text() == "x"
