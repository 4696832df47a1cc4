"""A source through fsspec that misbehaves: what no real server does on demand."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage import fsspec_tree
from incorta_provider.storage.fsspec_tree import FsspecTree
from incorta_provider.storage.tree import Missed

ROOT = "/root"
HOUR = 3600


class Storage:
    """Files with what is told of each, beside the content.

    :ivar told: what ``ls`` remembers until it is told to forget it.
    """

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self.told: dict[str, list[dict[str, Any]]] = {}
        self.before_ls: Callable[[str], None] = lambda _: None

    def put(self, name: str, content: bytes, **facts: Any) -> None:
        self.files[f"{ROOT}/{name}"] = (content, facts or {"mtime": 1_000.5})

    def ls(self, path: str, detail: bool) -> list[dict[str, Any]]:
        assert detail
        self.before_ls(path)
        if path not in self.told:
            inside = [name[len(path) + 1 :] for name in self.files if name.startswith(f"{path}/")]
            if not inside:
                raise FileNotFoundError(path)
            names = {name.partition("/")[0] for name in inside}
            self.told[path] = [self._of(f"{path}/{name}") for name in sorted(names)]
        return self.told[path]

    def info(self, path: str) -> dict[str, Any]:
        return self._of(path)

    def invalidate_cache(self) -> None:
        self.told.clear()

    def open(self, path: str, _: str) -> io.BytesIO:
        return io.BytesIO(self.files[path][0])

    def _of(self, path: str) -> dict[str, Any]:
        if path in self.files:
            content, facts = self.files[path]
            return {"name": path, "type": "file", "size": len(content), **facts}
        if any(name.startswith(f"{path}/") for name in self.files):
            return {"name": path, "type": "directory", "size": 0}
        raise FileNotFoundError(path)


@pytest.fixture
def storage() -> Storage:
    made = Storage()
    made.put("a", b"1")
    made.put("t/x", b"2")
    made.put("z", b"3")
    return made


@pytest.fixture
def tree(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> FsspecTree:
    monkeypatch.setattr(FsspecTree, "_connected", lambda _: storage)
    return FsspecTree("some", ConnectionInfo("c"), ROOT)


def paths(tree: FsspecTree) -> list[bytes]:
    return [entry.path for entry in tree.list()]


def test_each_pass_sees_what_is_there_now(tree: FsspecTree, storage: Storage) -> None:
    assert paths(tree) == [b"a", b"t", b"t/x", b"z"]
    storage.put("b", b"4")
    storage.put("t/y", b"5")
    assert paths(tree) == [b"a", b"b", b"t", b"t/x", b"t/y", b"z"]
    storage.files.clear()
    with pytest.raises(PreconditionError, match="no such folder"):
        tree.check()


@pytest.mark.parametrize(
    ("facts", "again"), [({"etag": "1"}, {"etag": "2"}), ({"modify": "20261129083000"}, {"modify": "20261129083001"})]
)
def test_a_change_of_the_same_size_is_seen(
    tree: FsspecTree, storage: Storage, facts: dict[str, Any], again: dict[str, Any]
) -> None:
    storage.put("a", b"1", **facts)
    before = next(tree.list())
    storage.put("a", b"2", **again)
    assert next(tree.list()) != before


@pytest.mark.parametrize(
    ("facts", "missing"),
    [({"mode": 0o644}, "a time, check sum or version"), ({"mtime": 1.5, "size": None}, "the size")],
)
def test_a_storage_that_hides_changes_is_refused(
    tree: FsspecTree, storage: Storage, facts: dict[str, Any], missing: str
) -> None:
    storage.put("t/x", b"2", **facts)
    with pytest.raises(ConfigurationError, match=f"does not tell {missing} of t/x"):
        paths(tree)


@pytest.mark.parametrize("facts", [{"mode": 0o644}, {"type": "link"}, {"mtime": 1.5, "islink": True}])
def test_what_cannot_be_carried_can_be_excluded(storage: Storage, tree: FsspecTree, facts: dict[str, Any]) -> None:
    """Each refusal names that way out."""
    storage.put("t/x", b"2", **facts)
    with pytest.raises((ConfigurationError, IntegrityError)):
        paths(tree)
    for pattern, left in (("t/x", [b"a", b"t", b"z"]), ("t", [b"a", b"z"])):
        assert paths(FsspecTree("some", ConnectionInfo("c"), ROOT, [pattern])) == left


def test_a_folder_that_vanishes_is_left_out(tree: FsspecTree, storage: Storage) -> None:
    def vanish(path: str) -> None:
        if path == f"{ROOT}/t":
            storage.files.pop(f"{ROOT}/t/x", None)

    storage.before_ls = vanish
    assert paths(tree) == [b"a", b"t", b"z"]


def test_a_folder_that_is_there_and_cannot_be_listed_is_not_an_empty_one(tree: FsspecTree, storage: Storage) -> None:
    """FTP's library says "not found" of every error, such as a data connection that does not come about."""

    def fail(path: str) -> None:
        if path == f"{ROOT}/t":
            raise FileNotFoundError(path)

    storage.before_ls = fail
    with pytest.raises(TransientError, match="t is there, and cannot be listed"):
        paths(tree)


@pytest.mark.parametrize("left", ["nothing", "what lies below the mount point"])
def test_a_source_that_is_unmounted_under_the_listing_is_not_one_that_lost_its_files(
    tree: FsspecTree, storage: Storage, left: str
) -> None:
    def unmount(path: str) -> None:
        if path == f"{ROOT}/t":
            storage.files.clear()
            if left != "nothing":
                storage.put("README", b"nothing is mounted here")

    storage.before_ls = unmount
    with pytest.raises(PreconditionError if left == "nothing" else IntegrityError, match=r"no such|nothing is left"):
        paths(tree)


@pytest.mark.parametrize("error", [EOFError(), paramiko.SSHException("lost"), OSError("Socket is closed")])
def test_a_lost_connection_is_transient_and_made_anew(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    made = list[Any]()

    def lose(*_: Any, **__: Any) -> None:
        raise error

    def connect(_: FsspecTree) -> Any:
        made.append(storage if made else SimpleNamespace(ls=lose, info=lose, open=lose, invalidate_cache=lambda: None))
        return made[-1]

    monkeypatch.setattr(FsspecTree, "_connected", connect)
    tree = FsspecTree("some", ConnectionInfo("c"), ROOT)
    entry = Entry(b"a", Kind.FILE, 1, 1_000_500_000_000, 0o644)
    with pytest.raises(TransientError, match=r"reading a failed: \w"):
        tree.fetch(entry, bytes(tmp_path / "into"))
    assert isinstance(tree.fetch(entry, bytes(tmp_path / "into")), Entry)
    assert len(made) == 2


def test_one_that_goes_between_the_look_and_the_read_has_vanished(
    tree: FsspecTree, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: str, _: str) -> io.BytesIO:
        raise FileNotFoundError(path)

    monkeypatch.setattr(storage, "open", gone)
    assert tree.fetch(next(tree.list()), bytes(tmp_path / "into")) is Missed.VANISHED
    assert list(tmp_path.iterdir()) == []


class Clock:
    """A clock that goes on only by sleeping; things happen at their time."""

    def __init__(self) -> None:
        self.now = 1_000.2
        self.later: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self.later and self.later[0][0] <= self.now:
            self.later.pop(0)[1]()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(fsspec_tree, "time", made)
    return made


@pytest.mark.parametrize("apart", [-HOUR, 0, HOUR])
def test_no_write_hides_in_the_second_of_another_one_whatever_the_storages_clock_says(
    tree: FsspecTree, storage: Storage, clock: Clock, tmp_path: Path, apart: int
) -> None:
    """The storage tells whole seconds, of its own clock."""

    def write(content: bytes) -> None:
        storage.put("a", content, mtime=int(clock.now + apart))

    write(b"one")
    clock.later.append((1_000.5, lambda: write(b"two")))
    entry = next(iter(list(tree.list())))
    fetched = tree.fetch(entry, bytes(tmp_path / "into"))
    clock.sleep(5)
    assert fetched == next(tree.list())._replace(sha256=fetched.sha256)  # type: ignore[union-attr]
    assert (tmp_path / "into").read_bytes() == b"two"


def test_what_was_listed_long_ago_does_not_wait(
    tree: FsspecTree, storage: Storage, clock: Clock, tmp_path: Path
) -> None:
    storage.put("a", b"1", mtime=int(clock.now))
    entry = next(iter(list(tree.list())))
    clock.sleep(1)
    before = clock.now
    assert isinstance(tree.fetch(entry, bytes(tmp_path / "into")), Entry)
    assert clock.now == before


def test_one_that_never_rests_is_unsettled(
    tree: FsspecTree, storage: Storage, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        clock.now += seconds
        storage.put("a", b"1", mtime=int(clock.now))

    entry = next(iter(list(tree.list())))
    monkeypatch.setattr(clock, "sleep", sleep)
    sleep(1)
    assert tree.fetch(entry, bytes(tmp_path / "into")) is Missed.UNSETTLED
    assert list(tmp_path.iterdir()) == []
