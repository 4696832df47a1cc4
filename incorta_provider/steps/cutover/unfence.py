"""Open a fenced site again, where a cutover makes it right: at the way home, and when a cutover is given up.

Anything else is a person's word: :mod:`incorta_provider.steps.unfence`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from incorta_provider.exceptions import DrError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.fencing import database_mark, fence_database, unfence_database

log = logging.getLogger(__name__)


def unfence_target(run: CutoverRun) -> bool:
    """Open the target's database, which now holds the metadata of the recovery point; tell whether it was fenced.

    It was if the site had the role before. Incorta does not run there yet, and the metadata that were fenced are gone.

    :raises DrError: it cannot be opened.
    """
    if mark := database_mark(run.target):
        run.folder.keep_fence_mark(mark)
        unfence_database(run.target, events=False)
        run.note("cutover.target.unfenced", f"target unfenced:{mark.at.isoformat()}", {"fenced_by": mark.run_id})
    return run.folder.fence_mark() is not None


def fences_as_before(run: CutoverRun, source: SiteAccess | None) -> list[str]:
    """Give up what a cutover did to the databases: the target's is fenced again, the source's is opened.

    :param source: None where another site has the role by now.
    :returns: what could not be done, and why. A database that is away holds up no abort.
    """
    parts: dict[str, Callable[[], None]] = {}
    if source is not None:
        parts[f"the database of {source.name} is still fenced"] = partial(_open, run, source)
    if run.folder.fence_mark() is not None:
        parts[f"the database of {run.target.name} is not fenced again"] = partial(_close, run)
    left = []
    for what, part in parts.items():
        try:
            part()
        except DrError as error:
            log.warning("%s: %s", what, error)
            left.append(f"{what}: {error}")
    return left


def _open(run: CutoverRun, source: SiteAccess) -> None:
    if mark := unfence_database(source, events=True):
        run.note("cutover.source.unfenced", f"source unfenced:{mark.at.isoformat()}", {"fenced_by": mark.run_id})


def _close(run: CutoverRun) -> None:
    mark = run.folder.fence_mark()
    if mark is not None:
        fence_database(run.access, run.target, run_id=mark.run_id, by=run.actor)
