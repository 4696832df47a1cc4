"""Give up a cutover that was fenced and cannot be finished: the site that had the role gets it back.

Allowed until the target was promoted. The target's Incorta is stopped first when this cutover may have started it:
two sites must never run. Then the role changes under a new epoch, which stops what is left of the cutover; then every
registry that answers is told, the target gets the metadata back that the cutover replaced, and the database of the
old site is opened. Repeating it does what could not be done before.

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
from incorta_provider.exceptions import DrError
from incorta_provider.metadata.restore import return_schema
from incorta_provider.metadata.switch_journal import read_switch
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.cutover.fence_source import stop_services
from incorta_provider.steps.cutover.run import CutoverRun, find_run
from incorta_provider.steps.cutover.unfence import fences_as_before
from incorta_provider.steps.locking import give_back
from incorta_provider.steps.roles import change_role, role_at, tell

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Abandoned:
    """A cutover that was given up.

    :ivar role: the role that holds now.
    :ivar not_told: sites whose registry did not take it, with the reason.
    :ivar metadata: what became of the target's metadata; empty when the cutover had not touched them.
    :ivar metadata_left: why they could not be given back; empty when they could.
    :ivar fences_left: which databases are not fenced or open as they were, and why.
    """

    role: Role
    target: str
    not_told: dict[str, str]
    metadata: str = ""
    metadata_left: str = ""
    fences_left: tuple[str, ...] = ()


def abort(access: GroupAccess, run_id: str, *, by: str) -> Abandoned:
    """Give one cutover up, and return who is active then."""
    run = find_run(access, run_id, by)
    change = partial(abandoned_role, by=by, run_id=run_id, at=access.clock())
    if (known := role_at(access, run.target)) is not None:
        change(known)
    if StepName.COMPARE in run.folder.done():  # services start behind it
        _stop_target(run)
    role = change_role(access, run.target, change)
    not_told = tell(access, [name for name in access.config.sites if name != run.target.name], role)
    metadata, metadata_left = _return_metadata(run)
    fences_left = fences_as_before(run, access.site(role.active))
    give_back(access, run.target, run_id)
    run.folder.mark_aborted()
    run.note("cutover.aborted", "aborted", {"epoch": role.epoch, "active": role.active, "not_told": not_told})
    if metadata:
        run.note("cutover.metadata.returned", "metadata", {"schema": run.target.config.metadata.schema_name})
    log.info("cutover %s is given up: %s is active under epoch %d", run_id, role.active, role.epoch)
    return Abandoned(role, run.target.name, not_told, metadata, metadata_left, tuple(fences_left))


def _return_metadata(run: CutoverRun) -> tuple[str, str]:
    """Make the schema live again that the restore replaced. A database that is away holds up no abort."""
    folder = run.folder.schema_switch
    try:
        if read_switch(folder) is None:
            return "", ""
        return_schema(run.target.database, folder)
    except DrError as error:
        log.warning("the metadata of %s are not given back yet: %s", run.target.name, error)
        return "", str(error)
    return f"{run.target.name} has the metadata again that it had before the cutover", ""


def _stop_target(run: CutoverRun) -> None:
    key = f"abort {run.run_id} {run.access.clock().isoformat()}"
    nodes = run.target.config.nodes
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        list(pool.map(lambda node: stop_services(run.target, node, key), nodes))
