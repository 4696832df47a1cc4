"""Makes a server a replica, beginning with a recovery point: its data, then its position, then the connection.

:raises ConfigurationError: an account lacks a right, or has too many.
:raises PreconditionError: the point has no position that a replica knows, or the server has other replications.
:raises IntegrityError: what was restored is not equal to the point; the schema is the one before.
:raises TransientError: the replica does not connect, or the source has no log from that position on any more.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.schema_switch import Stage
from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.replica.accounts import ensure_confined
from incorta_provider.metadata.replica.advance import hold
from incorta_provider.metadata.replica.channel import Channel
from incorta_provider.metadata.replica.equal import replica_differences
from incorta_provider.metadata.replica.opening import channel_at
from incorta_provider.metadata.replica.point import SHOWN, ReplicaPair
from incorta_provider.metadata.restore import commit_schema, replace_schema, return_schema
from incorta_provider.metadata.schema import holds_anything
from incorta_provider.metadata.switch_journal import read_switch

log = logging.getLogger(__name__)

_ENDED = (Stage.RETURNED, Stage.COMMITTED)


def set_up(pair: ReplicaPair, dump: Path, inventory: Inventory, folder: Path, *, sha256: str) -> bool:
    """Make the pair's replica one, held at the point; return whether its schema had to be restored. Safe to repeat.

    :param inventory: of the point, with its position.
    :param folder: for the record of the restore; removed when that is done.
    :param sha256: of the dump, in hex.
    """
    if not inventory.gtid:
        raise PreconditionError(
            "the recovery point does not say where a replica would go on",
            where=str(dump),
            fix="Choose a newer point. A MySQL server counts its transactions with gtid_mode = ON only.",
        )
    ensure_confined(pair.replica, pair.replica_account)
    _free(pair.replica_account, inventory.gtid)
    if restored := not _is_equal(pair.replica, inventory):
        _restore(pair.replica, dump, inventory, folder, sha256)
    with channel_at(pair.replica_account) as channel:
        channel.set_up(pair.source_account, pair.source.schema, inventory.gtid)
    hold(pair.replica_account, pair.source_account, pair.source.schema)
    log.info("%s is a replica of %s, held at %s", pair.replica.label, pair.source.label, inventory.gtid)
    return restored


def remove(admin: Endpoint) -> bool:
    """Stop a replication and forget it; return whether there was one. The data stay as they are."""
    with channel_at(admin) as channel:
        return channel.detach()


def _free(admin: Endpoint, gtid: str) -> None:
    """Let the server be no replica, so that nothing changes beneath a restore, and able to go on at a position.

    That is asked before, so that a replica which is well outlives a refusal, and once more when it stands still.
    """
    with channel_at(admin) as channel:
        if others := channel.others():
            raise PreconditionError(
                f"the server replicates already: {', '.join(others)}",
                where=admin.label,
                fix="A replica that is held has a server of its own. Remove these, or metadata.replica.",
            )
        _ensure_not_beyond(channel, admin, gtid)
        channel.detach()
        _ensure_not_beyond(channel, admin, gtid)


def _ensure_not_beyond(channel: Channel, admin: Endpoint, gtid: str) -> None:
    if beyond := channel.beyond(gtid):
        raise PreconditionError(
            f"the server has transactions that the recovery point does not hold: {beyond}",
            where=admin.label,
            fix=f"Choose a newer point. If the source went back and there is none: {channel.way_back}",
        )


def _is_equal(replica: Endpoint, inventory: Inventory) -> bool:
    with replica.connect_to(None) as session, translated(replica.label):
        there = holds_anything(session, replica.schema)
    return there and not replica_differences(replica, inventory)


def _restore(replica: Endpoint, dump: Path, inventory: Inventory, folder: Path, sha256: str) -> None:
    """Restore the point for good; a restore that was cut off before is taken back first."""
    if (known := read_switch(folder)) is not None:
        if known.stage not in _ENDED:
            return_schema(replica, folder)
        shutil.rmtree(folder)
    if differences := replace_schema(replica, dump, inventory, folder, sha256=sha256):
        shown = "\n  ".join(map(str, differences[:SHOWN]))
        raise IntegrityError(
            f"the restored metadata differ from the recovery point in {len(differences)} place(s):\n  {shown}",
            where=replica.label,
            fix="The schema is the one before. Choose another point.",
        )
    commit_schema(replica, folder)
    shutil.rmtree(folder)
