"""Pieces of long files: one that came outlasts a node that loses its power before the others have come."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from incorta_provider.storage.ssh import pieces
from incorta_provider.storage.ssh.pieces import Piece, pull_piece
from incorta_provider.storage.ssh.rsync import Ended

PIECE = Piece(b"a", 2, 3)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes that files had when they were brought to disk."""
    found: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: found.append(os.fstat(handle).st_size))
    return found


@pytest.mark.parametrize(("sent", "status", "sizes"), [(b"xyz", 0, [5]), (b"xyy", 12, [])])
def test_at_a_node_that_takes_it(
    tmp_path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch, sent: bytes, status: int, sizes: list[int]
) -> None:
    stream = io.BytesIO(sent + hashlib.sha256(b"xyz").digest())
    monkeypatch.setattr(os, "read", lambda _, size: stream.read(size))
    monkeypatch.setattr(sys, "argv", ["-c", bytes(tmp_path).hex(), b"a".hex(), "2", "3"])
    ended = 0
    try:
        exec(pieces._TAKE, {})
    except SystemExit as end:
        ended = int(str(end.code))
    assert (ended, synced) == (status, sizes)


class _Session:
    def __init__(self, ended: Ended) -> None:
        self._ended = ended

    def take(self, target: int, _: Piece) -> Generator[int, None, Ended]:
        os.pwrite(target, b"xyz", 2)
        yield 3
        return self._ended


@pytest.mark.parametrize(("lasting", "status", "sizes"), [(True, 0, [5]), (True, 12, []), (False, 0, [])])
def test_at_a_node_that_brings_it(
    tmp_path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch, *, lasting: bool, status: int, sizes: list[int]
) -> None:
    @contextmanager
    def session(*_: object, **__: object) -> Iterator[_Session]:
        yield _Session(Ended(status, ""))

    monkeypatch.setattr(pieces, "_session", session)
    assert list(pull_piece(tmp_path, "python3", b"/there", bytes(tmp_path), PIECE, lasting=lasting)) == [3]
    assert synced == sizes
