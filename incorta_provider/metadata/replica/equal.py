"""Compares a replica with what was counted at its source."""

from __future__ import annotations

from incorta_provider.dr.inventory import DISABLED, Difference, Inventory, compare
from incorta_provider.metadata.comparison import absent_definers, take_inventory
from incorta_provider.metadata.endpoint import Endpoint

OFF = (DISABLED, "SLAVESIDE_DISABLED", "REPLICA_SIDE_DISABLED")
"""How an event stands that does not run: one that was restored, and one that was replicated, by either engine."""


def replica_differences(endpoint: Endpoint, expected: Inventory) -> list[Difference]:
    """Return every difference; events must be off, in whichever way."""
    return absent_definers(endpoint, expected) + unlike(expected, take_inventory(endpoint))


def unlike(expected: Inventory, found: Inventory) -> list[Difference]:
    """Return every difference of two inventories, but for the way in which an event is off."""
    return [
        difference
        for difference in compare(expected, found, events="disabled")
        if difference.what != "status" or difference.actual not in OFF
    ]
