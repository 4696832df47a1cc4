"""What a site has of a recovery point is divided without losing or believing anything."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.adoption import Split, read_all, split
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_manifest
from tests.builders.storage import HOSTILE_NAMES, NS, file

NAMES = st.sampled_from([b"a", b"a/x", b"a/y", b"b", b"b-c", b"z\xff"])
CONTENTS = st.sampled_from([b"", b"one", b"two"])
TIMES = st.sampled_from([NS, NS + 1_000_000_000])


@st.composite
def trees(draw: st.DrawFn) -> list[Entry]:
    """Return what could be listed: a path is a file, a link, or the folder of others."""
    names = draw(st.sets(NAMES))
    found: dict[bytes, Entry] = {}
    for name in names:
        if b"/" in name:
            found[b"a"] = Entry(b"a", Kind.DIR, 0, NS, 0o755)
    for name in names - {b"a"} | ({b"a"} & names if b"a" not in found else set()):
        if draw(st.booleans()):
            found[name] = file(name, draw(CONTENTS), mtime_ns=draw(TIMES))
        else:
            found[name] = Entry(name, Kind.LINK, 0, NS, 0o777, None, draw(st.sampled_from([b"x", b"y"])))
    return sorted(found.values())


def write(path: Path, entries: list[Entry]) -> Path:
    with ManifestWriter(path) as writer:
        writer.extend(entries)
    return path


def divided(folder: Path, found: list[Entry], point: list[Entry]) -> tuple[Split, list[list[Entry]]]:
    places = [folder / name for name in ("same", "kept", "deleted")]
    counts = split(write(folder / "found", found), write(folder / "point", point), *places)
    return counts, [list(read_manifest(place)) for place in places]


@given(found=trees(), point=trees())
def test_each_file_of_the_site_is_either_the_point_s_by_its_content_or_kept(
    found: list[Entry], point: list[Entry]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        counts, (same, kept, deleted) = divided(Path(folder), found, point)
    named = {entry.path: entry for entry in point}
    here = {entry.path: entry for entry in found}
    assert all(entry == named[entry.path] and entry.sha256 == here[entry.path].sha256 for entry in same)
    assert all(entry == here[entry.path] and entry.kind is not Kind.DIR for entry in kept)
    for entry in found:
        is_named = entry.path in named and (entry.kind, entry.sha256, entry.link_target) == (
            named[entry.path].kind,
            named[entry.path].sha256,
            named[entry.path].link_target,
        )
        assert (entry in kept) is (entry.kind is not Kind.DIR and not is_named)
        assert (entry.path in {one.path for one in same}) is (entry.kind is Kind.FILE and is_named)
    assert {entry.path for entry in deleted} == {
        entry.path for entry in point if entry.kind is not Kind.DIR and entry.path not in here
    }
    assert (counts.same, counts.kept, counts.deleted) == (len(same), len(kept), len(deleted))
    assert counts.same_bytes == sum(entry.size for entry in same)
    assert counts.kept_bytes == sum(entry.size for entry in kept)


@pytest.fixture
def target(tmp_path: Path) -> LocalTarget:
    root = tmp_path / "storage"
    root.mkdir()
    catalog = Catalog(tmp_path / "catalog")
    catalog.initialise("acme", "berlin")
    return LocalTarget(root, catalog)


def test_a_file_that_only_looks_like_the_point_s_is_not_believed(target: LocalTarget, tmp_path: Path) -> None:
    """Same name, size and time: written over in place by a release that does so."""
    path = tmp_path / "storage" / "x"
    path.write_bytes(b"two")
    wanted = file(b"x", b"one", mtime_ns=path.stat().st_mtime_ns)
    assert read_all(target, tmp_path / "found", ()) == 1
    counts, (same, kept, _) = divided(tmp_path, list(read_manifest(tmp_path / "found")), [wanted])
    assert (same, counts.changed, [entry.path for entry in kept]) == ([], 1, [b"x"])


def test_what_is_set_aside_keeps_its_name_whatever_it_is_and_twice_is_once(target: LocalTarget, tmp_path: Path) -> None:
    root, bundle = tmp_path / "storage", tmp_path / "catalog" / "divergence" / "epoch-2"
    for number, name in enumerate(HOSTILE_NAMES):
        Path(str(root) + "/" + name.decode("utf-8", "surrogateescape")).write_text(str(number))
    (root / "link").symlink_to("nowhere")
    assert read_all(target, tmp_path / "found", ()) == len(HOSTILE_NAMES)
    paths = [entry.path for entry in read_manifest(tmp_path / "found")]
    assert sorted(paths) == sorted([*HOSTILE_NAMES, b"link"])
    for _ in range(2):
        target.set_aside(paths, "divergence/epoch-2")
    assert list(root.iterdir()) == []
    for number, name in enumerate(HOSTILE_NAMES):
        kept = Path(str(bundle) + "/files/" + name.decode("utf-8", "surrogateescape"))
        assert kept.read_text() == str(number)
    assert (bundle / "files" / "link").readlink() == Path("nowhere")


def test_what_comes_later_under_the_same_name_is_not_taken_for_what_was_kept(
    target: LocalTarget, tmp_path: Path
) -> None:
    (tmp_path / "storage" / "x").write_text("first")
    target.set_aside([b"x"], "divergence/epoch-2")
    (tmp_path / "storage" / "x").write_text("second")
    target.set_aside([b"x"], "divergence/epoch-2")
    assert (tmp_path / "storage" / "x").read_text() == "second"
    assert (tmp_path / "catalog" / "divergence" / "epoch-2" / "files" / "x").read_text() == "first"
