"""Replaces a schema by a recovery point's, keeping the one before, and compares the result in full."""

from __future__ import annotations

import logging
from pathlib import Path

from incorta_provider.dr.inventory import ENABLED, Difference, Inventory
from incorta_provider.dr.sql_names import quote
from incorta_provider.metadata.archive import ensure_digest
from incorta_provider.metadata.backup import keep_previous
from incorta_provider.metadata.comparison import differences
from incorta_provider.metadata.ddl import definer_clause, encoded, in_its_settings
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.load import load
from incorta_provider.metadata.schema import holding, recreate

log = logging.getLogger(__name__)


def replace_schema(
    endpoint: Endpoint, dump: Path, inventory: Inventory, backup: Path, *, sha256: str
) -> list[Difference]:
    """Make the endpoint's schema what was dumped, with all events off, and return what is not equal.

    Safe to repeat after a kill at any point: what the schema held before the first try is kept once, and never dropped
    before it is.

    :param backup: folder for what the schema holds now.
    :param sha256: of the dump, in hex.
    :raises IntegrityError: the dump is not the one that was sealed; nothing was changed.
    :raises ConfigurationError: the account lacks a right; nothing was changed.
    :raises TransientError: sessions hold the schema, or another run replaces it.
    """
    ensure_digest(dump, sha256)
    endpoint.ensure_rights()
    with holding(endpoint, endpoint.schema) as session:
        keep_previous(endpoint, session, backup)
        with translated(endpoint.label):
            recreate(session, endpoint.schema, inventory)
        load(endpoint, endpoint.schema, dump, inventory)
        return differences(endpoint, inventory)


def enable_events(endpoint: Endpoint, inventory: Inventory) -> list[str]:
    """Switch on the events that were on when the dump was made; return their names.

    Each in a session with its own settings and with its definer named: ALTER EVENT would record the session's character
    set and make us the definer (MariaDB manual, *ALTER EVENT*).
    """
    enabled = {name: event for name, event in inventory.events.items() if event.status == ENABLED}
    for name, event in enabled.items():
        statement = encoded(event, f"ALTER {definer_clause(event)} EVENT {quote(name)} ENABLE")
        with endpoint.connect() as session, translated(endpoint.label):
            for each in in_its_settings(event, statement, inventory.collation):
                session.query(each)
    return list(enabled)
