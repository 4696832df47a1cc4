"""Storage URLs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.local import LocalTree
from incorta_provider.storage.url import local_path, open_tree


@pytest.mark.parametrize(
    "path", [b"/mnt/Tenants", b"/with space", b"/100%", b"/a;b?c#d", "/größe".encode(), b"/not-utf8-\xff"]
)
def test_a_folder_is_found_again_by_its_url(path: bytes) -> None:
    folder = Path(os.fsdecode(path))
    assert local_path(folder.as_uri()) == folder


def test_localhost_is_here() -> None:
    assert local_path("file://localhost/mnt/x") == Path("/mnt/x")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("s3://bucket/prefix", "no backend for 's3'"),
        ("ssh://node/path", "no backend for 'ssh'"),
        ("/mnt/x", "no backend for 'no scheme'"),
        ("file://mnt/x", "names a host, 'mnt'"),
        ("file:///a?b", "must be written as %3F"),
        ("file:///a#b", "must be written as %3F or %23"),
        ("file:///a/../b", "absolute and without"),
        ("file:///a/%2e%2e/b", "absolute and without"),
        ("file:relative", "absolute and without"),
        ("file://", "absolute and without"),
    ],
)
def test_a_url_that_names_no_folder_is_refused(url: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as caught:
        open_tree(url)
    assert caught.value.where == url


def test_a_tree_is_opened_without_touching_it(tmp_path: Path) -> None:
    tree = open_tree((tmp_path / "absent").as_uri(), ("*.log",))
    assert isinstance(tree, LocalTree)
    assert tree.root == tmp_path / "absent"
