"""Which recovery points something under way needs, so that none of them is dropped under it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from incorta_provider.storage.apply.redo_journal import RedoJournal
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from incorta_provider.storage.records.json_file import read_json

UNANSWERED = timedelta(days=7)
"""A plan that nobody acted on for this long is not an open cutover: no gate waits for its answer any more."""


def points_in_use(catalog: Catalog, now: datetime) -> dict[str, str]:
    """Return the points that must stay, each with what needs it.

    :raises IntegrityError: a plan, a run's record or the journal cannot be read; nobody can tell what it needs.
    """
    found: dict[str, str] = {}
    for point_id, reason in (*_of_cutovers(catalog, now), *_of_runs(catalog), *_of_apply(catalog)):
        found.setdefault(point_id, reason)
    return found


def _of_cutovers(catalog: Catalog, now: datetime) -> Iterator[tuple[str, str]]:
    for folder, plan in CutoverFolder.all(catalog.root):
        is_acted_on = bool(folder.done())
        if folder.is_closed() or (not is_acted_on and now - plan.created_at > UNANSWERED):
            continue
        for point_id in {plan.recovery_point, folder.point_id()}:
            yield point_id, f"{'cutover' if plan.mode.is_cutover else 'drill'} {plan.run_id} is open"


def _of_runs(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield what runs compare with; their copies rest on its bytes."""
    for workspace in catalog.workspaces():
        record = read_json(workspace.root / "run.json")
        if record is not None and record["previous"] is not None:
            yield record["previous"], f"run {record['run_id']} is under way"


def _of_apply(catalog: Catalog) -> Iterator[tuple[str, str]]:
    header = RedoJournal(catalog.journal).header()
    for point_id in (header.base, header.target) if header else ():
        if point_id is not None:
            yield point_id, "an apply is under way"
