"""Takes the inventory of a schema that is worked on, in one state: without a dump, and without a lock.

:raises TransientError: definitions kept changing, or the server went away.
:raises ConfigurationError: a right is missing, or the binary log does not tell states apart.
"""

from __future__ import annotations

from contextlib import ExitStack

from incorta_provider.dr.inventory import Inventory
from incorta_provider.metadata.attempts import Source, impatient, until_proven
from incorta_provider.metadata.checksum import measure
from incorta_provider.metadata.comparison import READERS
from incorta_provider.metadata.definitions import Definitions
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.errors import translated


def snapshot_inventory(endpoint: Endpoint) -> Inventory:
    """Return the inventory of one state, with its position."""
    endpoint.ensure_rights()
    with endpoint.connect() as control, translated(endpoint.label):
        engine = engine_of(control)
        engine.ensure_positions(control)
        source = Source(endpoint, engine, control)
        inventory, _ = until_proven(source, lambda found: _take(source, found))
    return inventory


def _take(source: Source, definitions: Definitions) -> Inventory:
    with ExitStack() as stack:
        sessions = [stack.enter_context(impatient(source.endpoint.connect())) for _ in range(READERS)]
        shared = source.engine.share_snapshot(sessions)
        measures = measure(shared.sessions, definitions.columns)
    return definitions.inventory(measures, shared.position, shared.gtid)


def position_now(endpoint: Endpoint) -> str:
    """Return how a replica names the last transaction of a server; empty when there was none."""
    with endpoint.connect_to(None) as session, translated(endpoint.label), session.cursor() as cursor:
        cursor.execute(engine_of(session).gtid_now)
        (position,) = cursor.fetchone() or ("",)
    return str(position)
