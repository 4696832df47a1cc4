"""How a site is kept: copies under way, damage, pins, the change breaker, bundles, the last compare. For people."""

from __future__ import annotations

from collections.abc import Iterator

from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.copies import copy_lines
from incorta_provider.steps.divergence import summary
from incorta_provider.storage.divergence import Bundles
from incorta_provider.storage.records.breaker_file import BreakerFile
from incorta_provider.storage.records.drill_record import DrillPlace
from incorta_provider.storage.records.pins import Pins
from incorta_provider.storage.records.verified_file import last_verified


def upkeep_lines(site: SiteAccess) -> Iterator[str]:
    """Yield what there is to know, a line each; nothing when all is as it was at the beginning.

    :raises DrError: a record cannot be read.
    """
    catalog = site.catalog
    yield from copy_lines(site)
    for name, fault in catalog.damaged().items():
        yield f"damaged point {name}: {fault}"
    for pin in Pins(catalog).all():
        yield f"pinned {pin.point}: {pin.reason} (by {pin.by})"
    if (taken := DrillPlace(catalog).taken()) is not None:
        yield f"drill {taken.run_id} is in place since {taken.at:%Y-%m-%d %H:%M:%S} UTC"
    if (held := BreakerFile(catalog).held()) is not None:
        yield f"change breaker: holds run {held.run_id} since {held.at:%Y-%m-%d %H:%M:%S} UTC"
        yield from (f"  {reason}" for reason in held.reasons)
    if (word := BreakerFile(catalog).newest_word()) is not None and word.used_at is None:
        yield f"change breaker: run {word.run_id} may go through, by {word.by}: {word.reason}"
    for bundle in Bundles(catalog).all():
        yield f"divergence {summary(bundle)}"
    if (last := last_verified(catalog)) is not None:
        yield f"replica compared at {last.at:%Y-%m-%d %H:%M:%S} UTC: {last.in_words()}"
