"""Texts are found in files wherever they stand, also across the borders of what is read at once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage import content_search
from incorta_provider.storage.content_search import Searched, Wanted, search_files
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.tree import Missed


class OneByOne(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, content: bytes, step: int) -> None:
        super().__init__(content)
        self.step = step

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.step)


def stands(content: bytes, form: bytes, mask: bytes) -> bool:
    """Say plainly whether a form stands anywhere that is in no mask."""
    covered = [range(at, at + len(mask) - len(form) + 1) for at in range(len(content)) if content.startswith(mask, at)]
    return any(
        content.startswith(form, at) and not any(at in places for places in covered) for at in range(len(content))
    )


@given(content=st.text("abx").map(str.encode), step=st.integers(1, 9), form=st.sampled_from([b"a", b"ab", b"aba"]))
def test_chunks_do_not_matter(content: bytes, step: int, form: bytes) -> None:
    mask = b"x" + form + b"b"
    found = Wanted({"text": [form]}, [mask]).names_in(OneByOne(content, step))
    assert found == ({"text"} if stands(content, form, mask) else set())


def test_every_text_is_found_whatever_the_others_cover() -> None:
    wanted = Wanted({"path": [b"/data/berlin"], "url": [b"http://berlin/data/berlin"], "other": [b"nowhere"]})
    assert wanted.names_in(io.BytesIO(b"\x00\xffhttp://berlin/data/berlin\x00")) == {"path", "url"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in {
        "acme/ddm/sales/t.ddm": b"DDM1\x00\x00s3://berlin/Tenants\xff",
        "acme/ddm/sales/own.ddm": b"s3://berlin/Tenants/new",
        "acme/ddm/old/t.ddm": b"s3://berlin/Tenants",
        "acme/source/t.parquet": b"s3://berlin/Tenants",
        "acme/ddm/caf\udce9": b"http://berlin",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


WANTED = Wanted({"path": [b"s3://berlin/Tenants"], "url": [b"http://berlin"]}, [b"s3://berlin/Tenants/new"])


def test_only_the_files_that_are_asked_for_are_searched(root: Path) -> None:
    assert search_files(LocalTree(root), ["*/ddm/*"], WANTED, passed_over=["*/ddm/old/*"]) == Searched(
        3, [(b"acme/ddm/caf\xe9", "url"), (b"acme/ddm/sales/t.ddm", "path")]
    )
    assert search_files(LocalTree(root), [], WANTED) == Searched(0, [])
    assert search_files(LocalTree(root), ["*"], Wanted({})) == Searched(0, [])


class Elsewhere:
    """A tree whose files must be fetched."""

    label = "elsewhere"

    def __init__(self, tree: LocalTree) -> None:
        self.list, self.fetch, self.check = tree.list, tree.fetch, tree.check


def test_files_of_other_storages_are_fetched_and_nothing_stays(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(content_search.tempfile, "tempdir", str(scratch))
    tree = LocalTree(root)
    assert search_files(Elsewhere(tree), ["*"], WANTED) == search_files(tree, ["*"], WANTED)  # type: ignore[arg-type]
    assert list(scratch.iterdir()) == []


def test_a_file_that_changes_under_the_search_is_tried_again_later(root: Path) -> None:
    tree = Elsewhere(LocalTree(root))
    tree.fetch = lambda entry, into: Missed.UNSETTLED
    with pytest.raises(content_search.TransientError, match="changed while it was searched"):
        search_files(tree, ["*"], WANTED)  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read_is_no_file_without_findings(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = list(LocalTree(root).list())
    (root / "acme/ddm/sales/t.ddm").unlink()
    tree = LocalTree(root)
    monkeypatch.setattr(LocalTree, "list", lambda self: iter(listed))
    with pytest.raises(IntegrityError, match=r"acme/ddm/sales/t\.ddm cannot be searched: No such file"):
        search_files(tree, ["*/sales/*"], WANTED)
