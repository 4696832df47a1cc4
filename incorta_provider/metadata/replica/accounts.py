"""The accounts of a replica: one that logs in and replicates, and at a MySQL one that only applies.

The password of the first is kept by the other site's server, so it may change no data. A MySQL replica applies with the
rights of the second (``PRIVILEGE_CHECKS_USER``): what passes the server's filters and is not of the metadata schema
fails for want of a right. Nobody logs in with it: it is locked, and a fence that locks it as well harms nothing.
"""

from __future__ import annotations

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.rights import Grant, applier_grants, exceeding, lacking, replica_grants

_DOCS = "docs/metadata-replica.md"


def lacking_rights(admin: Endpoint) -> tuple[str, list[Grant]]:
    """Return the account that replicates, as in SQL, and which of its rights it lacks."""
    with admin.connect_to(None) as session, translated(admin.label), session.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        user, _, host = str((cursor.fetchone() or ("",))[0]).rpartition("@")
        return f"'{user}'@'{host}'", lacking(_shown(session), replica_grants(engine_of(session)))


def lacking_of_applier(reader: Endpoint) -> tuple[str, list[Grant]]:
    """Return the account that applies, as in SQL, and which of its rights it lacks; no name where there is no such one.

    :param reader: the account that reads the schema of the replica's server.
    :raises ConfigurationError: it does not exist, or somebody may log in with it.
    """
    with reader.connect_to(None) as session, translated(reader.label):
        engine = engine_of(session)
        if not engine.applier:
            return "", []
        _ensure_locked(session, engine.applier, reader.label)
        return engine.applier, lacking(_shown(session, engine.applier), applier_grants(reader.schema, engine))


def ensure_confined(reader: Endpoint, admin: Endpoint) -> None:
    """Refuse accounts of a MySQL replica with other rights than the listed ones.

    :param reader: as for :func:`lacking_of_applier`.
    :param admin: the account that replicates.
    :raises ConfigurationError: names what is too much, or what the account that applies lacks.
    """
    with admin.connect_to(None) as session, translated(admin.label):
        engine = engine_of(session)
        if not engine.applier:
            return
        more = exceeding(_shown(session), replica_grants(engine))
    _ensure_none(more, "the account that replicates may do more, and so may who has the other site's server", admin)
    with reader.connect_to(None) as session, translated(reader.label):
        _ensure_locked(session, engine.applier, reader.label)
        shown = _shown(session, engine.applier)
    wanted = applier_grants(reader.schema, engine)
    if absent := lacking(shown, wanted):
        needed = "; ".join(grant.statement(engine.applier) for grant in absent)
        raise ConfigurationError(f"the account {engine.applier} lacks rights", where=reader.label, fix=f"Run: {needed}")
    what = f"what is replicated may change more than the metadata schema: {engine.applier} has"
    _ensure_none(exceeding(shown, wanted), what, reader)


def _ensure_none(more: list[str], what: str, endpoint: Endpoint) -> None:
    if more:
        raise ConfigurationError(
            f"{what}: {'; '.join(more)}",
            where=endpoint.label,
            fix=f"Revoke that, or make the account anew with just the rights of {_DOCS}.",
        )


def _ensure_locked(session: Session, account: str, where: str) -> None:
    user, _, host = (part.strip("'") for part in account.partition("@"))
    with session.cursor() as cursor:
        cursor.execute("SELECT account_locked FROM mysql.user WHERE User = %s AND Host = %s", (user, host))
        found = cursor.fetchone()
    if found is None:
        raise ConfigurationError(
            f"the account {account} does not exist, with whose rights a replica applies",
            where=where,
            fix=f"Run: CREATE USER {account} ACCOUNT LOCK; its rights are in {_DOCS}.",
        )
    if found != ("Y",):
        raise ConfigurationError(
            f"the account {account} is not locked, and nobody is to log in with it",
            where=where,
            fix=f"Run: ALTER USER {account} ACCOUNT LOCK",
        )


def _shown(session: Session, account: str = "CURRENT_USER()") -> list[str]:
    """Return the rights of an account as the server prints them; those of another one to who reads ``mysql.user``."""
    with session.cursor() as cursor:
        cursor.execute(f"SHOW GRANTS FOR {account}")
        return [str(line) for (line,) in cursor.fetchall()]
