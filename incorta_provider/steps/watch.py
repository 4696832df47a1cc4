"""Look for a site that gave its role up without being fenced, and fence it as soon as it can be reached.

An old primary that comes back after an unplanned cutover has its services, its database and its schedules as they were.
Its replication is refused by the epoch; this is what keeps people and load jobs from going on to work there.

:raises NothingToDo: every such site is fenced, or nothing more of it could be reached this time.
:raises DrError: a catalog holds something else than it should.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from incorta_provider.dr.epoch import Role
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import DrError, FencingError, NothingToDo
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.cutover.fence_source import fence_again
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.unfence import is_overridden, newest_role
from incorta_provider.storage.records.cutover_folder import CutoverFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unfenced:
    """A site that is not fully fenced.

    :ivar run: the cutover that took the role from it.
    :ivar known: what the fence of that cutover has reached so far.
    """

    run: CutoverRun
    source: SiteAccess
    known: Result


def watch(access: GroupAccess, *, by: str) -> dict[str, Result]:
    """Fence what came back; return what was reached now, by site.

    :param by: who or what acts, for the ledger.
    """
    role = newest_role(access)
    if role is None:
        raise NothingToDo("no registry of the group answers")
    left = list(unfenced_sites(access, role, by=by))
    if not left:
        raise NothingToDo("every site that gave its role up is fenced")
    found = {each.source.name: _fenced_again(each, role) for each in left}
    reached = {site: facts for site, facts in found.items() if facts is not None}
    if not reached:
        waiting = [f"{each.source.name} since cutover {each.run.run_id}" for each in left]
        raise NothingToDo(f"nothing more could be reached of {', '.join(waiting)}")
    return reached


def _fenced_again(each: Unfenced, role: Role) -> Result | None:
    """Try one site; one that was told of another cutover is left alone, and keeps no other from being fenced."""
    try:
        return fence_again(each.run, each.source, role, each.known)
    except FencingError as error:
        log.error("%s is left alone: %s", each.source.name, error)
        return None


def unfenced_sites(access: GroupAccess, role: Role, *, by: str = "") -> Iterator[Unfenced]:
    """Yield the sites that gave their role up and are not fully fenced, unless a person opened them since."""
    newest: dict[str, tuple[Plan, CutoverFolder, SiteAccess]] = {}
    for folder, plan, target in _fenced_cutovers(access):
        for site in (plan.source, plan.target):
            if site not in newest or newest[site][0].epoch < plan.epoch:
                newest[site] = (plan, folder, target)
    for site, (plan, folder, target) in newest.items():
        known = folder.result(StepName.FENCE) or {}
        if plan.source != site or site == role.active or not known.get("unfenced"):
            continue
        if is_overridden(access, site, role.epoch):
            log.info("%s is not fenced: a person opened it", site)
            continue
        yield Unfenced(CutoverRun(access, target, plan.run_id, by), access.site(site), known)


def _fenced_cutovers(access: GroupAccess) -> Iterator[tuple[CutoverFolder, Plan, SiteAccess]]:
    """Yield the cutovers that took a role and were not given up, as far as their catalogs are there."""
    for target in map(access.site, access.config.sites):
        try:
            target.catalog.ensure_there()
        except DrError as error:
            log.warning("the catalog of %s cannot be read: %s", target.name, error)
            continue
        for folder, plan in CutoverFolder.all(target.catalog.root):
            if plan.target == target.name and StepName.FENCE in folder.done() and not folder.is_aborted():
                yield folder, plan, target
