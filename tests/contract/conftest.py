"""A world for each pair of storage, and the table of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.contract.world")

from tests.contract.backends import Site, Source  # noqa: E402
from tests.contract.cells import FAILED, TABLE, Table  # noqa: E402
from tests.contract.file_backend import FileSite, FileSource  # noqa: E402
from tests.contract.kinds import PAIRS  # noqa: E402
from tests.contract.world import World  # noqa: E402

_WORLD = pytest.StashKey[World]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash.setdefault(TABLE, Table())


@pytest.fixture
def make_source() -> Mapping[str, Callable[[Path], Source]]:
    """What makes a source of each kind below a folder."""
    return {"file": FileSource}


@pytest.fixture
def make_site() -> Mapping[str, Callable[[Path], Site]]:
    """What makes a site of each kind below a folder."""
    return {"file": FileSite}


@pytest.fixture(params=PAIRS, ids="-".join)
def make_world(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    make_source: Mapping[str, Callable[[Path], Source]],
    make_site: Mapping[str, Callable[[Path], Site]],
) -> Callable[[Path], World]:
    """What makes one pair, with an empty source and nothing at the site, which lies below a folder that it is told."""
    source_kind, site_kind = request.param

    def make(home: Path) -> World:
        made = World(home, make_source[source_kind](tmp_path / "source"), make_site[site_kind](home))
        made.prepare()
        request.node.stash[_WORLD] = made
        return made

    return make


@pytest.fixture
def world(make_world: Callable[[Path], World], tmp_path: Path) -> World:
    """One pair, with room enough."""
    return make_world(tmp_path / "home")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Put the outcome of a behaviour into the table."""
    report = yield
    made = item.stash.get(_WORLD, None)
    if call.when == "call" and made is not None and isinstance(item, pytest.Function):
        behaviour = item.originalname.removeprefix("test_").replace("_", " ")
        right = (item.function.__doc__ or "equal").strip().splitlines()[0]
        outcome = made.said if report.passed else FAILED
        item.config.stash[TABLE].add(behaviour, right, f"{made.source.kind} to {made.site.kind}", outcome)
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Judge the committed table when all behaviours are found."""
    items.sort(key=lambda item: item.path.name == "test_table.py" and item.path.parent.name == "contract")
