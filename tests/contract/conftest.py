"""A world for each pair of storage, and the table of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.contract.world")

from incorta_provider.connection import ConnectionInfo  # noqa: E402
from tests.builders.s3 import TestBucket, make_bucket  # noqa: E402
from tests.builders.storage import folder_in_memory  # noqa: E402
from tests.contract.backends import Site, Source  # noqa: E402
from tests.contract.cells import FAILED, TABLE, Table  # noqa: E402
from tests.contract.file_backend import FileSite, FileSource  # noqa: E402
from tests.contract.kinds import MIXED, PURE, SAMPLE  # noqa: E402
from tests.contract.s3_backend import S3Site, S3Source  # noqa: E402
from tests.contract.sftp_backend import SftpSource  # noqa: E402
from tests.contract.ssh_backend import SshSite, SshSource, connection  # noqa: E402
from tests.contract.world import World  # noqa: E402

_WORLD = pytest.StashKey[World]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash.setdefault(TABLE, Table())


@pytest.fixture
def place() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def node_connection(request: pytest.FixtureRequest) -> Callable[[str], ConnectionInfo]:
    """Find the connection to a node; the nodes are started when the first one is asked for."""
    return lambda conn_id: connection(request.getfixturevalue("sshd_nodes")[conn_id])


@pytest.fixture
def make_test_bucket(request: pytest.FixtureRequest) -> Callable[..., TestBucket]:
    """Make a new bucket; the server is started when the first one is asked for."""
    return lambda **settings: make_bucket(request.getfixturevalue("s3_server"), **settings)


@pytest.fixture
def make_source(
    node_connection: Callable[[str], ConnectionInfo], make_test_bucket: Callable[..., TestBucket]
) -> Mapping[str, Callable[[Path], Source]]:
    """What makes a source of each kind below a folder."""
    return {
        "file": FileSource,
        "ssh": lambda root: SshSource(root, node_connection),
        "sftp": lambda root: SftpSource(root, node_connection),
        "s3": lambda _: S3Source(make_test_bucket(versioned=False)),
    }


@pytest.fixture
def make_site(
    node_connection: Callable[[str], ConnectionInfo], make_test_bucket: Callable[..., TestBucket]
) -> Mapping[str, Callable[[Path], Site]]:
    """What makes a site of each kind below a folder."""
    return {
        "file": FileSite,
        "ssh": lambda home: SshSite(home, node_connection),
        "s3": lambda home: S3Site(home, make_test_bucket()),
    }


def _pairs() -> list[object]:
    mixed = [pytest.param(pair, id="-".join(pair), marks=pytest.mark.mixed) for pair in MIXED]
    return [pytest.param(pair, id="-".join(pair)) for pair in PURE] + mixed


@pytest.fixture(params=_pairs())
def make_world(
    request: pytest.FixtureRequest,
    place: Path,
    make_source: Mapping[str, Callable[[Path], Source]],
    make_site: Mapping[str, Callable[[Path], Site]],
) -> Callable[[Path], World]:
    """What makes one pair, with an empty source and nothing at the site, which lies below a folder that it is told."""
    source_kind, site_kind = request.param

    def make(home: Path) -> World:
        home.mkdir(exist_ok=True)
        made = World(make_source[source_kind](place / "source"), make_site[site_kind](home))
        made.prepare()
        request.node.stash[_WORLD] = made
        return made

    return make


@pytest.fixture
def world(make_world: Callable[[Path], World], place: Path) -> World:
    """One pair, with room enough."""
    return make_world(place / "home")


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


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let ``make test`` choose a few of the unlike pairs too."""
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        pair = item.callspec.params.get("make_world")
        if (item.originalname, pair) in SAMPLE:
            item.own_markers = [mark for mark in item.own_markers if mark.name != "mixed"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each behaviour time on a busy machine, and judge the committed table when all of them are found."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.timeout(900))
    items.sort(key=lambda item: item.path == here / "test_table.py")
