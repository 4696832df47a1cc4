"""Brings a held replica to a position, and no further.

:raises PreconditionError: the replication is not set up, or reads from another server.
:raises TransientError: it is not connected, has an error, or does not get there in time.
"""

from __future__ import annotations

import logging
import time

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.replica import ReplicaState, lacking, not_held, same_position, without
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.replica.channel import Channel, tables_of_schema
from incorta_provider.metadata.replica.opening import channel_at

log = logging.getLogger(__name__)

POLL_SECONDS = 0.02
CONNECT_SECONDS = 10
"""How long a replica that was just told to read may take to be connected."""


def hold(admin: Endpoint, source: Endpoint, schema: str) -> None:
    """Hold the replica where it is, connected to its source. What is counted at the source after this is ahead of it.

    :param source: the account that the replica logs in with, as it was set up.
    """
    with channel_at(admin) as channel:
        _known(channel, admin)
        channel.hold(schema)
        expected, deadline = f"{source.host}:{source.port}", time.monotonic() + CONNECT_SECONDS
        while found := not_held(_known(channel, admin), source=expected, tables=tables_of_schema(schema)):
            if time.monotonic() > deadline:
                raise _not_now("; ".join(found), admin)
            time.sleep(POLL_SECONDS)


def advance(admin: Endpoint, to: Inventory, *, wait_seconds: float) -> None:
    """Let a held replica apply what the source had committed when an inventory was taken, and hold it there.

    One that does not get there in time goes on, up to that position: to stop it is to wait for what it waits for.

    :param to: of the source, with its position.
    """
    started = time.monotonic()
    with channel_at(admin) as channel:
        schema = to.schema_name
        if not _is_at(_known(channel, admin), to.gtid, admin):
            channel.apply_until(to.position, to.gtid)
            _wait(channel, admin, to.gtid, started + wait_seconds)
            channel.hold(schema)
    log.info("%s is at %s after %.2f s", admin.label, to.gtid, time.monotonic() - started)


def _wait(channel: Channel, admin: Endpoint, gtid: str, deadline: float) -> None:
    """Wait until the replica's data are of a position; behind it, it stops by itself before the next transaction."""
    while not _is_at(state := _known(channel, admin), gtid, admin):
        if state.apply_error:
            raise _not_now(state.apply_error, admin)
        if time.monotonic() > deadline:
            left = _left(state, gtid)
            raise _not_now(f"it does not get to {gtid} in time; {left} transaction(s) are not applied", admin)
        time.sleep(POLL_SECONDS)


def _is_at(state: ReplicaState, gtid: str, admin: Endpoint) -> bool:
    """Return whether the data are of a position.

    :raises TransientError: they are past it; no waiting brings them back.
    """
    if same_position(state.applied, gtid, own=state.own):
        return True
    if not _left(state, gtid):
        raise _not_now(f"it is at {state.applied}, past the source's {gtid}: it has to be set up again", admin)
    return False


def _left(state: ReplicaState, gtid: str) -> int:
    return lacking(state.applied, without(gtid, state.own))


def _known(channel: Channel, admin: Endpoint) -> ReplicaState:
    if (state := channel.state()) is None:
        raise PreconditionError(
            "the server is no replica", where=admin.label, fix="Set it up with `incorta-dr metadata replica setup`."
        )
    return state


def _not_now(what: str, admin: Endpoint) -> TransientError:
    return TransientError(
        f"the replica cannot be used: {what}", where=admin.label, fix="See `incorta-dr metadata replica status`."
    )
