"""Stop the site that gives the role up, as far as it can be reached, and go on with it when it comes back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from incorta_provider.dr.epoch import Role, ensure_epoch
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import DrError, FencingError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.fencing import NOT_FENCED, can_fence_database, fence_database
from incorta_provider.steps.roles import copy_role, role_at
from incorta_provider.steps.site_stop import attempt_all, stop_services

log = logging.getLogger(__name__)

DATABASE = "database"


def fence_source(run: CutoverRun, source: SiteAccess, role: Role) -> Result:
    """Try every part of the source at the same time; return what is fenced, and why the rest is not.

    What a former try fenced is tried again: a site that lost its power since comes back with its services started.

    :param role: what the source's registry is told.
    :raises FencingError: the source was told of another cutover, and may be active by that; it is left alone.
    """
    database: Result = {}
    parts = _parts(run, source, role, _tell_registry(run, source, role), database)
    reasons = attempt_all(parts)
    not_reached = {part: reason for part, reason in reasons.items() if reason is not None}
    return {
        "stopped": [part for part in reasons if part not in not_reached],
        "not_reached": not_reached,
        "unfenced": bool(not_reached),
        "database": database or not_reached.get(DATABASE, NOT_FENCED),
    }


def _tell_registry(run: CutoverRun, source: SiteAccess, role: Role) -> DrError | None:
    """Tell the source's own registry, before anything else is touched; return why it is not told.

    :raises FencingError: it was told of a later change, and the source may be active by that: it must be left alone.
    """
    try:
        copy_role(run.access, source, role)
    except FencingError:
        raise
    except DrError as error:
        return error
    return None


def fence_again(run: CutoverRun, source: SiteAccess, role: Role, known: Result) -> Result | None:
    """Go on with a fence that did not reach everything; record what it reached now, None when that was nothing.

    The first result is kept in the ledger.
    """
    facts = fence_source(run, source, role)
    if facts["unfenced"] and facts["stopped"] == known["stopped"]:
        return None
    result = {**known, **facts, "round": run.clear_number, "finished_at": run.access.clock().isoformat()}
    run.folder.record(StepName.FENCE, result)
    run.note("cutover.source.fenced_again", f"fence:again:{result['finished_at']}", facts)
    return result


def _parts(
    run: CutoverRun, source: SiteAccess, role: Role, untold: DrError | None, database: Result
) -> dict[str, Callable[[], object]]:
    """Return what is tried, by name.

    :param untold: why the source's registry does not know the role.
    :param database: takes what was done there.
    """
    key = run.script_key(StepName.FENCE)
    parts: dict[str, Callable[[], object]] = {"epoch registry": partial(_ensure_told, untold)}
    for node in source.config.nodes:
        parts[f"services of {node.conn_id}"] = partial(stop_services, source, node, key)
    if can_fence_database(source):
        parts[DATABASE] = lambda: database.update(
            fence_database(run.access, source, run_id=run.run_id, by=role.changed_by)
        )
    return {name: partial(_while_it_holds, run, role, part) for name, part in parts.items()}


def _ensure_told(untold: DrError | None) -> None:
    if untold is not None:
        raise untold


def _while_it_holds(run: CutoverRun, role: Role, part: Callable[[], object]) -> None:
    """Do a part unless the roles changed since: by then the source may be the active site again."""
    ensure_epoch(role.epoch, role_at(run.access, run.target), active=role.active)
    part()
