"""Give up a cutover that was fenced and cannot be finished: the site that had the role gets it back.

Allowed until the target was promoted. The target's Incorta is stopped first when this cutover may have started it:
two sites must never run. Then the role changes under a new epoch, which stops what is left of the cutover; then every
registry that answers is told. Repeating it tells those that did not answer before.

:raises FencingError: the run is not promoting any site, or promoted one.
:raises TransientError: the target's ZooKeeper cannot be reached, or its Incorta cannot be stopped; nothing was changed.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from incorta_provider.dr.epoch import Role, abandoned_role
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.cutover.fence import stop_services
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.locking import give_back
from incorta_provider.steps.roles import change_role, role_at, tell
from incorta_provider.storage.cutover_folder import CutoverFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Abandoned:
    """A cutover that was given up.

    :ivar role: the role that holds now.
    :ivar not_told: sites whose registry did not take it, with the reason.
    """

    role: Role
    target: str
    not_told: dict[str, str]


def abort(access: GroupAccess, run_id: str, *, by: str) -> Abandoned:
    """Give one cutover up, and return who is active then."""
    run = _fenced_run(access, run_id, by)
    change = partial(abandoned_role, by=by, run_id=run_id, at=access.clock())
    if (known := role_at(access, run.target)) is not None:
        change(known)
    if StepName.COMPARE in run.folder.done():  # services start behind it
        _stop_target(run)
    role = change_role(access, run.target, change)
    not_told = tell(access, [name for name in access.config.sites if name != run.target.name], role)
    give_back(access, run.target, run_id)
    run.folder.mark_aborted()
    run.note("cutover.aborted", "aborted", {"epoch": role.epoch, "active": role.active, "not_told": not_told})
    log.info("cutover %s is given up: %s is active under epoch %d", run_id, role.active, role.epoch)
    return Abandoned(role=role, target=run.target.name, not_told=not_told)


def _fenced_run(access: GroupAccess, run_id: str, by: str) -> CutoverRun:
    """Find the site whose catalog has the plan of the run."""
    for name in access.config.sites:
        site = access.site(name)
        if CutoverFolder(site.catalog.root, run_id).has_plan():
            return CutoverRun(access=access, target=site, run_id=run_id, actor=by)
    raise PreconditionError(
        f"no catalog knows a cutover {run_id}",
        where=f"group {access.name}",
        fix="`incorta-dr status` shows the run that is promoting a site.",
    )


def _stop_target(run: CutoverRun) -> None:
    key = f"abort {run.run_id} {run.access.clock().isoformat()}"
    nodes = run.target.config.nodes
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        list(pool.map(lambda node: stop_services(run.target, node, key), nodes))
