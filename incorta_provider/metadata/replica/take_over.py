"""Makes a replica a server of its own, at a cutover.

What it read of the source and did not apply is given up: it belongs to no recovery point.
"""

from __future__ import annotations

import logging

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.replica import same_position
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.replica.equal import replica_differences
from incorta_provider.metadata.replica.opening import channel_at
from incorta_provider.metadata.schema import holding

log = logging.getLogger(__name__)


def take_over(target: Endpoint, admin: Endpoint, inventory: Inventory) -> bool:
    """Cut a replica off from its source for good, and return whether it is what a recovery point holds. Safe to repeat.

    Cut off in any case: a source that comes back must not go on changing the promoted site.

    :param inventory: of the point. Where the replica is not that, by position and by full comparison, the point's dump
        is to be restored.
    :raises DrError: the server cannot be asked; nothing may be started before it is cut off.
    """
    with holding(target, target.schema), channel_at(admin) as channel:
        channel.detach()
        applied = channel.applied()
        if not same_position(applied, inventory.gtid, own=channel.own()):
            log.warning("%s is at %s, the recovery point at %s", target.label, applied, inventory.gtid or "no GTID")
            return False
        if differences := replica_differences(target, inventory):
            log.warning("%s is not what the recovery point holds: %s", target.label, differences[0])
            return False
        return True
