"""Whether the metadata of one site can be dumped there and restored at another: judged before it is needed.

:raises DrError: a database that is needed cannot be asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from incorta_provider.dr.inventory import Inventory
from incorta_provider.exceptions import ConfigurationError, PreconditionError, TransientError
from incorta_provider.metadata.fencing import ensure_fence_rights
from incorta_provider.metadata.readiness.access_rules import rights_findings
from incorta_provider.metadata.readiness.finding import Finding, Severity, blockers, sorted_by_severity
from incorta_provider.metadata.readiness.pair import pair_findings, restore_findings
from incorta_provider.metadata.replica.accounts import ensure_confined, lacking_of_applier, lacking_rights
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.fencing import can_fence_database
from incorta_provider.steps.point import point_inventory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found on a pair of sites.

    :ivar judged_by: in words, what the target was compared with.
    """

    source: str
    target: str
    judged_by: str
    findings: list[Finding]

    @property
    def ready(self) -> bool:
        """Whether nothing stands in the way."""
        return not blockers(self.findings)


def metadata_readiness(access: GroupAccess, source: SiteAccess, target: SiteAccess) -> Verdict:
    """Compare both databases; when the source's does not answer, the target's with the newest recovery point.

    :raises TransientError: the source does not answer, and there is no recovery point of it.
    """
    there = source.database
    try:
        pair = pair_findings(there, target.database, access.clock(), access.config.metadata)
        found = [*pair, *_fence_findings(source), *_fence_findings(target)]
    except TransientError as error:
        newest = target.catalog.newest()
        if error.where != there.label or newest is None or newest.source != source.name:
            raise
        gone = Finding(Severity.WARNING, "source", source.name, f"it cannot be asked: {error.what}", error.fix)
        inventory = point_inventory(target.catalog, newest)
        found = [gone, *judge_restore(access, target, inventory, source=source.name)]
        return Verdict(source.name, target.name, f"recovery point {newest.id}", found)
    if access.config.metadata.replica is not None:
        found = sorted_by_severity([*found, *_replication_rights(source), *_replication_rights(target)])
    return Verdict(source.name, target.name, f"{source.name} as it is now", found)


def _replication_rights(site: SiteAccess) -> Iterator[Finding]:
    """Yield what the accounts of a replica lack, or have too much; one that is refused or locked lacks all of it."""
    try:
        lacking = [lacking_rights(site.replica_account), lacking_of_applier(site.database)]
        if not any(absent for _, absent in lacking):
            ensure_confined(site.database, site.replica_account)
    except (ConfigurationError, PreconditionError) as error:
        yield Finding(Severity.BLOCKER, "replica", site.name, error.what, error.fix)
    else:
        for account, absent in lacking:
            yield from rights_findings(site.name, account, absent)


def _fence_findings(site: SiteAccess) -> Iterator[Finding]:
    """Yield what would make a fence of a site's database fail on the day."""
    if not can_fence_database(site):
        return
    try:
        ensure_fence_rights(site.database)
    except ConfigurationError as error:
        yield Finding(Severity.WARNING, "fence", site.name, error.what, error.fix)


def judge_restore(access: GroupAccess, target: SiteAccess, inventory: Inventory, *, source: str) -> list[Finding]:
    """Return what is wrong with the target's database for a recovery point's metadata, the worst first."""
    mapping = access.config.metadata.mapping
    return restore_findings(target.database, inventory, access.clock(), source=source, mapping=mapping)


def ensure_restorable(access: GroupAccess, target: SiteAccess, inventory: Inventory, *, source: str) -> None:
    """Refuse a restore that would fail or end in something else, by name; log what only weakens it.

    :raises PreconditionError: lists all that stands in the way.
    """
    found = judge_restore(access, target, inventory, source=source)
    for finding in found:
        if finding.severity is Severity.WARNING:
            log.warning("%s: %s", finding.site, finding)
    if lacking := blockers(found):
        listed = "\n  ".join(map(str, lacking))
        raise PreconditionError(
            f"the metadata cannot be restored:\n  {listed}",
            where=f"database of {target.name}",
            fix="Nothing was changed. Fix that (`incorta-dr metadata readiness` lists it), then clear the task.",
        )
