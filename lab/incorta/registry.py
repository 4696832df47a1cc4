"""What the processes of a site tell each other through ZooKeeper: who is there, and who runs the scheduler.

All nodes are ephemeral: they vanish with the process that made them. Incorta's own paths are not public; these are
invented, and nothing else may depend on them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

from incorta_provider.exceptions import TransientError

log = logging.getLogger(__name__)

SESSION_SECONDS = 10.0
_CALL_SECONDS = 3.0
_FAULTS = (KazooException, KazooTimeoutError)


class Registry:
    """A session that mends itself. While there is no quorum nothing is published and nothing is read."""

    def __init__(self, client: KazooClient, cluster: str) -> None:
        self._client = client
        self._root = f"/incorta/{cluster}"

    def publish(self, name: str, value: dict[str, Any]) -> None:
        """Keep a node of ours with this value, also when the session was lost since or an earlier process left one."""
        try:
            self._publish(name, json.dumps(value).encode())
        except _FAULTS as error:
            log.debug("cannot publish %s: %r", name, error)

    def claim(self, name: str, value: dict[str, Any]) -> bool:
        """Return whether a node is ours; take it when nobody has it."""
        try:
            return self._create(name, json.dumps(value).encode()) or self._is_ours(name)
        except _FAULTS as error:
            log.debug("cannot claim %s: %r", name, error)
            return False

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the value of a node, or None when there is none or no quorum."""
        try:
            raw, _ = self._call("get", self._path(name))
        except _FAULTS:
            return None
        value: dict[str, Any] = json.loads(raw)
        return value

    def _publish(self, name: str, raw: bytes) -> None:
        if self._create(name, raw):
            return
        if self._is_ours(name):
            self._call("set", self._path(name), raw)
        else:
            self._call("delete", self._path(name))
            self._create(name, raw)

    def _create(self, name: str, raw: bytes) -> bool:
        try:
            self._call("create", self._path(name), raw, ephemeral=True, makepath=True)
        except NodeExistsError:
            return False
        return True

    def _is_ours(self, name: str) -> bool:
        try:
            _, stat = self._call("get", self._path(name))
        except NoNodeError:
            return False
        return bool(stat.owner_session_id == self._client.client_id[0])

    def _call(self, verb: str, *args: object, **options: object) -> Any:
        """Call the client, but never wait for a quorum for longer than a few seconds."""
        if not self._client.connected:
            raise KazooTimeoutError("not connected")
        return getattr(self._client, f"{verb}_async")(*args, **options).get(timeout=_CALL_SECONDS)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


@contextmanager
def registry(hosts: str, cluster: str, *, wait_seconds: float = 0) -> Iterator[Registry]:
    """Open a session at the site's ensemble.

    :param wait_seconds: how long a quorum is waited for; 0 goes on without one and takes it when it comes.
    :raises TransientError: there was no quorum in that time.
    """
    client = KazooClient(hosts=hosts, timeout=SESSION_SECONDS)
    connected = client.start_async()
    try:
        if wait_seconds and not connected.wait(wait_seconds):
            raise TransientError(
                f"ZooKeeper has no quorum at {hosts}", where=hosts, fix="Start the site's ensemble first."
            )
        yield Registry(client, cluster)
    finally:
        client.stop()
        client.close()
