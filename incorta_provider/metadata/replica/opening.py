"""Logs in to a server as the account that may replicate, and finds out how that is done there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.engines.mysql import MySql
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.replica.channel import Channel
from incorta_provider.metadata.replica.mariadb import MariaDbChannel
from incorta_provider.metadata.replica.mysql import MySqlChannel

STATEMENT_SECONDS = 60
"""How long one statement may take: a replica that is to stop ends first what it is about to apply."""


@contextmanager
def channel_at(admin: Endpoint) -> Iterator[Channel]:
    """Open the replication of a server as long as the block lasts; the driver's errors are raised as the provider's.

    :param admin: an account of the replica's server that may replicate.
    :raises ConfigurationError: the server is of an older release.
    """
    with admin.connect_to(None, seconds=STATEMENT_SECONDS) as session, translated(admin.label):
        engine = engine_of(session)
        if not engine.can_be_held:
            raise ConfigurationError(
                f"the server is {engine.name} {engine.version}; a replica that is held at a position needs a newer one",
                where=admin.label,
                fix="Remove metadata.replica from the topology, or upgrade: dump and restore works with it.",
            )
        yield MySqlChannel(session, engine) if isinstance(engine, MySql) else MariaDbChannel(session)
