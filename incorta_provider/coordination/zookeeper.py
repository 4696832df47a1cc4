"""Open a session at a site's ZooKeeper ensemble, and close it whatever happens.

:raises TransientError: nobody answers, or there is no quorum; says what each member says.
:raises ConfigurationError: the connection names no members.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from incorta_provider.connection import ConnectionInfo
from incorta_provider.coordination.ensemble import ensemble_state, members, quorum_problem
from incorta_provider.coordination.session import Session
from incorta_provider.exceptions import TransientError

log = logging.getLogger(__name__)

TIMEOUT = 10.0

_kazoo_log = logging.getLogger(f"{__name__}.kazoo")
_kazoo_log.setLevel(logging.CRITICAL)
"""kazoo reports every attempt to reconnect; what matters of that stands in our errors."""


@contextmanager
def connect(info: ConnectionInfo, timeout: float = TIMEOUT) -> Iterator[Session]:
    """Lend a session; it is closed at the end, also after an error.

    :param timeout: seconds for opening it, and for each call.
    """
    hosts = ",".join(f"{host}:{port}" for host, port in members(info))
    client = KazooClient(hosts=hosts, timeout=timeout, logger=_kazoo_log)
    try:
        _start(client, info, timeout)
        yield Session(client, hosts, timeout)
    finally:
        _close(client)


def _start(client: KazooClient, info: ConnectionInfo, timeout: float) -> None:
    try:
        client.start(timeout=timeout)
    except KazooTimeoutError:
        raise _not_connected(info, timeout) from None


def _not_connected(info: ConnectionInfo, timeout: float) -> TransientError:
    problem = quorum_problem(ensemble_state(info)) or f"no session within {timeout:g} s"
    return TransientError(
        f"cannot connect to ZooKeeper: {problem}",
        where=f"connection {info.conn_id}",
        fix="Start the members that are down; `srvr` at each of them must say leader or follower.",
    )


def _close(client: KazooClient) -> None:
    """End the session and its threads; that this failed must not hide what happened before it."""
    try:
        client.stop()
        client.close()
    except (KazooException, KazooTimeoutError, OSError) as error:
        log.warning("the ZooKeeper session did not close cleanly: %s", error)
