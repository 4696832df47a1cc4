"""Takes a recovery point's metadata from a replica: the source is only counted, the dump is made at the replica.

The order makes it one state. The replica is held; then the source is counted, at a position that lies ahead; then the
replica is brought to this position, dumped, and must be equal to what was counted.

:raises DrError: the replica cannot be used now; the folder holds nothing that looks like a dump.
:raises IntegrityError: the replica is not equal to its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from incorta_provider.dr.inventory import Inventory
from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.archive import replacing
from incorta_provider.metadata.dump import INVENTORY_FILE, DumpReport, dump, forget
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.prove import read_inventory
from incorta_provider.metadata.replica.accounts import ensure_confined
from incorta_provider.metadata.replica.advance import advance, hold
from incorta_provider.metadata.replica.equal import unlike
from incorta_provider.metadata.schema import holding
from incorta_provider.metadata.snapshot import snapshot_inventory

SHOWN = 20


@dataclass(frozen=True, slots=True)
class ReplicaPair:
    """A source and its replica, each with the account that reads the schema and the one that replicates."""

    source: Endpoint
    source_account: Endpoint
    replica: Endpoint
    replica_account: Endpoint


def dump_at_replica(
    pair: ReplicaPair, folder: Path, references: Sequence[str] = (), *, wait_seconds: float
) -> DumpReport:
    """Write the three files of a dump into ``folder``; see :func:`incorta_provider.metadata.dump.dump`.

    :param wait_seconds: how long the replica may take to get to the position.
    """
    with holding(pair.replica, pair.replica.schema):
        ensure_confined(pair.replica, pair.replica_account)
        hold(pair.replica_account, pair.source_account, pair.source.schema)
        counted = snapshot_inventory(pair.source)
        advance(pair.replica_account, counted, wait_seconds=wait_seconds)
        report = dump(pair.replica, folder, references)
        try:
            _ensure_equal(pair, counted, read_inventory(folder / INVENTORY_FILE))
            with replacing(folder / INVENTORY_FILE) as file:
                file.write(counted.model_dump_json(indent=1).encode())
        except BaseException:
            forget(folder)
            raise
    return replace(report, position=counted.position)


def _ensure_equal(pair: ReplicaPair, counted: Inventory, found: Inventory) -> None:
    if differences := unlike(counted, found):
        shown = "\n  ".join(map(str, differences[:SHOWN]))
        raise IntegrityError(
            f"the replica differs from its source in {len(differences)} place(s):\n  {shown}",
            where=pair.replica.label,
            fix="Something wrote there, or a filter kept a statement out (docs/metadata-replica.md). Set it up again: "
            "`incorta-dr metadata replica setup`.",
        )
