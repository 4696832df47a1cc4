"""Steps on the live replica: what stands in the way is kept, and doing a step again changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.apply.replica import Replica
from incorta_provider.storage.local.volume import LocalVolume
from tests.builders.storage import NS, folder, folder_for_nobody, give_to_nobody, put, run_as_nobody, snapshot


class Site:
    def __init__(self, root: Path) -> None:
        self.live, self.catalog, self.history = root / "live", root / "catalog", root / "catalog" / "history" / "A"
        put(root, {"live": None, "catalog/history": None})

    def do(self, *steps: Step) -> Replica:
        replica = Replica(*map(os.fsencode, (self.live, self.catalog, self.history)))
        for step in steps:
            replica.do(step)
        return replica

    def kept(self) -> dict[str, bytes]:
        """Return the files in the history."""
        return {
            str(path.relative_to(self.history)): path.read_bytes() for path in self.history.rglob("*") if path.is_file()
        }


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def place(path: bytes, source: bytes = b"new") -> Step:
    return Step(Verb.PLACE, path, source, 0o640, NS)


def test_a_file_is_moved_in_with_its_time_and_mode(site: Site) -> None:
    put(site.catalog, {"new": b"1"})
    site.do(place(b"a/b/c"))
    facts = (site.live / "a" / "b" / "c").stat()
    assert (facts.st_mtime_ns, facts.st_mode & 0o777) == (NS, 0o640)
    assert not (site.catalog / "new").exists()


def test_what_stood_there_is_kept(site: Site) -> None:
    put(site.live, {"a": b"old", "t/x": b"1", "t/y": b"2"})
    put(site.catalog, {"new": b"new", "new-t": b"a file now"})
    site.do(place(b"a"), place(b"t", b"new-t"))
    assert (site.live / "a").read_bytes() == b"new"
    assert (site.live / "t").read_bytes() == b"a file now"
    assert site.kept() == {"files/a": b"old", "files/t/x": b"1", "files/t/y": b"2"}


def test_a_folder_is_moved_out_with_everything_that_someone_put_into_it(site: Site) -> None:
    put(site.live, {"t/a": b"1", "t/by-hand/b": b"2"})
    site.do(Step(Verb.REMOVE, b"t"))
    assert snapshot(site.live) == {}
    assert site.kept() == {"files/t/a": b"1", "files/t/by-hand/b": b"2"}


@pytest.mark.parametrize("times", [2, 3])
def test_doing_all_steps_again_changes_nothing(site: Site, times: int) -> None:
    put(site.live, {"a": b"old", "gone": b"1", "t": b"a file", "stays": b"2", "u/x": b"3"})
    put(site.catalog, {"new": b"new", "new-x": b"below"})
    steps = [
        place(b"a"),
        Step(Verb.REMOVE, b"gone"),
        Step(Verb.LINK, b"link", b"a"),
        Step(Verb.TOUCH, b"stays", mode=0o600, mtime_ns=NS),
        Step(Verb.FOLDER, b"t"),
        place(b"t/x", b"new-x"),
        Step(Verb.REMOVE, b"u"),
    ]
    site.do(*steps)
    live, kept = snapshot(site.live, times=True), site.kept()
    assert sorted(live) == [b"a", b"link", b"stays", b"t", b"t/x"]
    assert kept == {"files/a": b"old", "files/gone": b"1", "files/t": b"a file", "files/u/x": b"3"}
    for _ in range(times - 1):
        site.do(*steps)
    assert (snapshot(site.live, times=True), site.kept()) == (live, kept)


def test_a_new_file_is_not_moved_out_when_the_step_is_done_again(site: Site) -> None:
    """The old file was gone by hand, so the history has none; the new one must not be taken for it."""
    put(site.catalog, {"new": b"new"})
    site.do(place(b"a"))
    site.do(place(b"a"))
    assert (site.live / "a").read_bytes() == b"new"
    assert site.kept() == {}


def test_what_was_written_by_hand_in_between_is_kept_beside(site: Site) -> None:
    """A cut between the two halves of a step, and then somebody writes to the path."""
    put(site.history, {"files/a": b"old"})
    put(site.live, {"a": b"by hand"})
    put(site.catalog, {"new": b"new"})
    site.do(place(b"a"))
    assert (site.live / "a").read_bytes() == b"new"
    assert site.kept() == {"files/a": b"old", "by-hand-1/a": b"by hand"}


def test_a_kept_file_where_a_folder_is_to_be_kept(site: Site) -> None:
    put(site.history, {"files/a": b"a file"})
    put(site.live, {"a/x": b"1"})
    site.do(Step(Verb.REMOVE, b"a/x"))
    assert site.kept() == {"files/a": b"a file", "by-hand-1/a/x": b"1"}


def test_a_folder_that_was_replaced_by_a_link_is_not_walked_through(site: Site, tmp_path: Path) -> None:
    put(tmp_path, {"elsewhere/x": b"not ours"})
    put(site.catalog, {"new": b"new"})
    (site.live / "t").symlink_to(tmp_path / "elsewhere")
    site.do(place(b"t/x"))
    assert (tmp_path / "elsewhere" / "x").read_bytes() == b"not ours"
    assert (site.live / "t" / "x").read_bytes() == b"new"
    assert (site.history / "files" / "t").is_symlink()


def test_a_link_is_replaced_and_not_followed(site: Site, tmp_path: Path) -> None:
    put(tmp_path, {"outside": b"not ours"})
    put(site.catalog, {"new": b"new"})
    (site.live / "a").symlink_to(tmp_path / "outside")
    (site.live / "l").symlink_to("one")
    site.do(place(b"a"), Step(Verb.LINK, b"l", b"two"))
    assert (tmp_path / "outside").read_bytes() == b"not ours"
    assert (site.live / "a").read_bytes() == b"new"
    assert (site.live / "l").readlink() == Path("two")
    assert (site.history / "files" / "l").readlink() == Path("one")


def test_touching_what_is_gone_or_a_link_does_nothing(site: Site, tmp_path: Path) -> None:
    put(tmp_path, {"outside": b""})
    before = (tmp_path / "outside").stat().st_mtime_ns
    (site.live / "l").symlink_to(tmp_path / "outside")
    site.do(Step(Verb.TOUCH, b"gone", mode=0, mtime_ns=NS), Step(Verb.TOUCH, b"l", mode=0, mtime_ns=NS))
    assert (tmp_path / "outside").stat().st_mtime_ns == before


def test_folders_get_time_and_mode_in_the_end_deepest_first(site: Site) -> None:
    put(site.catalog, {"new": b"1", "new-2": b"2"})
    put(site.live, {"untouched": None})
    replica = site.do(Step(Verb.FOLDER, b"a"), Step(Verb.FOLDER, b"a/b"), place(b"a/b/c"), place(b"x/y", b"new-2"))
    assert replica.changed_folders == [b"a", b"a/b", b"x"]
    deepest_first = [folder(b"x", mode=0o755), folder(b"a/b", mode=0o711), folder(b"a", mode=0o500)]
    LocalVolume(site.live, site.catalog).finish(deepest_first)
    found = {name: (site.live / name).stat() for name in ("a", "a/b", "x")}
    assert {name: facts.st_mode & 0o777 for name, facts in found.items()} == {"a": 0o500, "a/b": 0o711, "x": 0o755}
    assert {facts.st_mtime_ns for facts in found.values()} == {NS}


def test_folders_that_lock_us_out_are_opened_and_closed_again() -> None:
    """Without root's rights, files in folders of mode 0500 and 0000 are replaced, removed and brought back."""
    with folder_for_nobody() as root:
        site = Site(root)
        put(site.live, {"t/u/a": b"old", "locked/x/y": b"1"})
        put(site.history / "files", {"v/back": b"back"})
        put(site.catalog, {"new": b"new"})
        for name in ("live/t/u", "live/t", "live/locked/x", "live/locked"):
            (root / name).chmod(0o000 if name.endswith("t") else 0o500)
        (site.history / "files" / "v").chmod(0o500)
        give_to_nobody(root)
        program = (
            "from incorta_provider.storage.apply.replica import Replica; "
            "from incorta_provider.storage.local.volume import LocalVolume; "
            "from incorta_provider.storage.apply.redo_journal import Step, Verb; "
            "catalog = os.fsencode(root / 'catalog'); "
            "replica = Replica(os.fsencode(root / 'live'), catalog, catalog + b'/history/A'); "
            "replica.do(Step(Verb.PLACE, b'back', b'history/A/files/v/back', 0o600, 1)); "
            "replica.do(Step(Verb.REMOVE, b'locked')); "
            "replica.do(Step(Verb.PLACE, b't/u/a', b'new', 0o600, 1)); "
            "LocalVolume(root / 'live', root / 'catalog').finish([folder(b't/u', mode=0o500), folder(b't', mode=0)]); "
            "print(replica.changed_folders)"
        )
        assert run_as_nobody(program, root) == "[b't', b't/u']\n"
        assert snapshot(site.live) == {
            b"back": ("file", 0o600, b"back", None),
            b"t": ("dir", 0),
            b"t/u": ("dir", 0o500),
            b"t/u/a": ("file", 0o600, b"new", None),
        }
        assert site.kept() == {"files/t/u/a": b"old", "files/locked/x/y": b"1"}
