"""A ZooKeeper session whose every call ends in time, and whose every write is conditional.

kazoo queues a request while it reconnects and may wait forever; here each call has a deadline. What was under way when
a member went away fails, though the others serve: until the deadline it is asked again. So it may be unknown whether a
write was done, as it is after a :class:`~incorta_provider.exceptions.TransientError`. That is safe because every write
names the version that it replaces: doing it again either does it once or is refused.

:raises TransientError: the connection or the session was lost, or nothing answered in time.
:raises ConfigurationError: the node's access list refuses us.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    ConnectionClosedError,
    ConnectionLoss,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
)
from kazoo.handlers.threading import KazooTimeoutError

from incorta_provider.exceptions import ConfigurationError, TransientError

_CUT = (ConnectionLoss, SessionExpiredError, SessionMovedError)
_LOST = (*_CUT, ConnectionClosedError, KazooTimeoutError, OperationTimeoutError)
_REFUSED = (AuthFailedError, NoAuthError)
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Stored:
    """What a node of ZooKeeper holds, and the version of that."""

    value: bytes
    version: int


class Session:
    """An open session.

    :param client: a started client; who started it also stops it.
    :param hosts: for messages.
    :param timeout: seconds that one call may take.
    """

    def __init__(self, client: KazooClient, hosts: str, timeout: float) -> None:
        self._client = client
        self._hosts = hosts
        self._timeout = timeout

    @property
    def is_connected(self) -> bool:
        """Whether it had a member at the last sign of one: a member that fell silent is noticed after some seconds."""
        return bool(self._client.connected)

    def read(self, path: str) -> Stored | None:
        """Return what the node holds now; None when there is no such node.

        A member may lag behind the leader, so it is told to catch up first.
        """
        self._ask(self._client.sync_async, path)
        try:
            value, stat = self._ask(self._client.get_async, path)
        except NoNodeError:
            return None
        return Stored(value, stat.version)

    def create(self, path: str, value: bytes) -> bool:
        """Make the node and the folders above it; return False when it exists."""
        try:
            self._ask(self._client.create_async, path, value, makepath=True)
        except NodeExistsError:
            return False
        return True

    def replace(self, path: str, value: bytes, version: int) -> int | None:
        """Write over that very version and return the new one; None when the node changed or is gone."""
        try:
            stat = self._ask(self._client.set_async, path, value, version=version)
        except (BadVersionError, NoNodeError):
            return None
        return int(stat.version)

    def _ask(self, call: Callable[..., Any], path: str, *args: Any, **options: Any) -> Any:
        deadline = time.monotonic() + self._timeout
        try:
            while True:
                try:
                    return call(path, *args, **options).get(timeout=max(0.0, deadline - time.monotonic()))
                except _CUT:
                    if time.monotonic() + _PAUSE > deadline:
                        raise
                    time.sleep(_PAUSE)
        except _LOST as error:
            raise TransientError(
                f"ZooKeeper did not answer about {path}: {type(error).__name__}",
                where=self._hosts,
                fix="Is there a quorum? Try again; whatever was done is found and not done twice.",
            ) from error
        except _REFUSED as error:
            raise ConfigurationError(
                f"ZooKeeper refuses access to {path}: {type(error).__name__}",
                where=self._hosts,
                fix="Correct the access list of the node.",
            ) from error
