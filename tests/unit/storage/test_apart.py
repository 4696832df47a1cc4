"""Replicas, catalogs and vaults of two installations that lie inside of each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.volume import LocalVolume
from tests.builders.storage import make_pair, put, snapshot

Target = Callable[[str, str], LocalTarget]


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """Make a target of its own installation, by its replica and its catalog."""

    def made(live: str, catalog: str) -> LocalTarget:
        for place in (live, catalog):
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        records = Catalog(tmp_path / catalog)
        records.initialise("globex", "paris")
        return LocalTarget(tmp_path / live, records)

    return made


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (("a/live", "a/dr"), ("a/dr/points/x/live", "b/dr"), "lies inside of .*/a/dr, where globex at paris keeps"),
        (("a/live", "a/dr"), ("b/live", "a/dr/history/x"), "lies inside of .*/a/dr, where globex at paris keeps"),
        (("a/live/t/live", "a/live/dr"), ("a/live", "b/dr"), "holds .*/a/live/dr, where globex at paris keeps"),
    ],
)
def test_a_folder_of_another_installation_is_refused_and_nothing_is_moved(
    tmp_path: Path, target: Target, one: tuple[str, str], other: tuple[str, str], why: str
) -> None:
    target(*one).check()
    second = target(*other)
    before = snapshot(tmp_path)
    with pytest.raises(ConfigurationError, match=why):
        second.check()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(("live", "vault"), [("a/live/t", "b/dr"), ("b/live", "a/live/dr")])
def test_a_replica_is_known_by_the_vault_beside_it(tmp_path: Path, live: str, vault: str) -> None:
    put(tmp_path, {"a/live.incorta-dr/vault.json": json.dumps({"group": "acme", "site": "rome"}).encode()})
    for place in (live, vault):
        (tmp_path / place).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"inside of .*/a/live, the replica of acme at rome, whose vault is"):
        LocalVolume(tmp_path / live, tmp_path / vault).live_root()


def test_its_own_vault_beside_it_is_no_other(tmp_path: Path) -> None:
    put(tmp_path, {"live/t": None, "live.incorta-dr/vault.json": b'{"group": "acme", "site": "rome"}'})
    assert LocalVolume(tmp_path / "live", tmp_path / "live.incorta-dr").live_root().names == (b"t",)


def test_a_file_that_is_only_named_like_a_mark_is_a_file(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    put(pair.source, {"t/catalog.json": b'["SALES"]', "u/vault.json": b"not json", "catalog.json": b"{}"})
    pair.seal("A", minute=0)
    pair.apply("A")
    pair.target.check()
    assert snapshot(pair.live) == snapshot(pair.source)
