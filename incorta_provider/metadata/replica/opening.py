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
from incorta_provider.metadata.rights import Grant, changes_everywhere, lacking, replica_grants

STATEMENT_SECONDS = 60
"""How long one statement may take: a replica that is to stop ends first what it is about to apply."""


def lacking_rights(admin: Endpoint) -> tuple[str, list[Grant]]:
    """Return the account as in SQL, and which of the rights to replicate it lacks."""
    with admin.connect_to(None) as session, translated(admin.label), session.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        user, _, host = str((cursor.fetchone() or ("",))[0]).rpartition("@")
        cursor.execute("SHOW GRANTS")
        shown = [str(line) for (line,) in cursor.fetchall()]
        engine = engine_of(session)
    return f"'{user}'@'{host}'", lacking(shown, replica_grants(admin.schema, engine))


def ensure_confined(admin: Endpoint) -> None:
    """Refuse an account that may change more than the metadata schema, where what is replicated is applied by it.

    :raises ConfigurationError: names the rights; what passes the server's filters would be applied with them.
    """
    with admin.connect_to(None) as session, translated(admin.label), session.cursor() as cursor:
        cursor.execute("SHOW GRANTS")
        wide = changes_everywhere(str(line) for (line,) in cursor.fetchall())
        if wide and engine_of(session).replica_schema_rights:
            raise ConfigurationError(
                f"the account that replicates may change other schemas or accounts as well: {', '.join(wide)}",
                where=admin.label,
                fix=f"Use one with just the rights of docs/metadata-replica.md, or revoke {', '.join(wide)} ON *.*.",
            )


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
