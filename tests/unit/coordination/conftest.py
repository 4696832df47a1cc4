from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from incorta_provider.coordination.group_lock import LockOwner
from incorta_provider.coordination.session import Session, Stored
from incorta_provider.dr.epoch import Role, first_role

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class MemorySession(Session):
    """ZooKeeper's rules about versions, in memory; ``meanwhile`` runs once, right before the next write."""

    def __init__(self) -> None:
        self.nodes: dict[str, Stored] = {}
        self.meanwhile: Callable[[], object] | None = None

    def read(self, path: str) -> Stored | None:
        return self.nodes.get(path)

    def create(self, path: str, value: bytes) -> bool:
        self._interrupt()
        if path in self.nodes:
            return False
        self.nodes[path] = Stored(value, 0)
        return True

    def replace(self, path: str, value: bytes, version: int) -> int | None:
        self._interrupt()
        if path not in self.nodes or self.nodes[path].version != version:
            return None
        self.nodes[path] = Stored(value, version + 1)
        return version + 1

    def _interrupt(self) -> None:
        action, self.meanwhile = self.meanwhile, None
        if action is not None:
            action()


@pytest.fixture(scope="session")
def new_session() -> type[MemorySession]:
    return MemorySession


@pytest.fixture
def session() -> MemorySession:
    return MemorySession()


@pytest.fixture
def role() -> Role:
    return first_role("acme", "berlin", by="dana", at=NOON)


@pytest.fixture(scope="session")
def owner() -> Callable[..., LockOwner]:
    def make(run_id: str, taken_at: datetime = NOON) -> LockOwner:
        return LockOwner(run_id=run_id, dag_id="replicate", host="worker-1", purpose="replication", taken_at=taken_at)

    return make
