"""Take a drill away again, whatever became of it: its services, its schema, its files, in this order.

Each part is tried whatever becomes of the others. Removed is what the drill wrote down before it made anything, and
nothing else. Safe to repeat, also after a kill, by a person or by the next drill.

:raises TransientError: names what is left, and why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.report import Report
from incorta_provider.dr.site import DRILL_PREFIX
from incorta_provider.exceptions import DrError, TransientError
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.rights import BESIDE_PREFIX
from incorta_provider.metadata.schema import drop, holding
from incorta_provider.metadata.switch_journal import read_switch
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.cutover.report import ledger_lines
from incorta_provider.steps.cutover.run import Result
from incorta_provider.steps.drill.report import make_report
from incorta_provider.steps.drill.run import DrillRun, drill_run
from incorta_provider.steps.report_page import report_page
from incorta_provider.steps.site_stop import ensure_stopped, stop_site
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.drill_files import empty_folder
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from incorta_provider.storage.records.drill_record import Occupied

log = logging.getLogger(__name__)


def clean_drill(run: DrillRun) -> Result:
    """Take this drill away, and write its report. One that never took the place leaves that alone."""

    def action(_: Plan) -> Result:
        taken = run.place.taken()
        if taken is None or taken.run_id != run.run_id:
            return {"removed": []}
        key = f"{run.run_id} {StepName.CLEAN_DRILL} {run.access.clock().isoformat()}"
        parts: dict[str, Callable[[], None]] = {
            "services": partial(stop_place, run, key),
            f"schema {taken.schema_name}": partial(_drop_schemas, run, taken),
            f"files in {taken.storage}": partial(empty_folder, taken.storage),
        }
        if failed := {part: reason for part, remove in parts.items() if (reason := _attempt(remove))}:
            raise TransientError(
                "the drill left behind: " + "; ".join(f"{part}: {reason}" for part, reason in failed.items()),
                where=f"site {run.site.name}",
                fix=f"`incorta-dr drill clean --group {run.access.name} --site {run.site.name}` when that is fixed.",
            )
        run.place.give_back()
        return {"removed": list(parts)}

    result = run.perform(StepName.CLEAN_DRILL, action)
    lines, _ = ledger_lines(run)
    report = make_report(run, lines)
    run.folder.save_page(report_page(Report.model_validate(report), lines))
    run.folder.save_report(report)
    run.note("drill.done", "done", {name: report[name] for name in ("outcome", "rto_seconds", "recovery_point")})
    return {**result, "outcome": report["outcome"], "rto_seconds": report["rto_seconds"]}


def clean_site(access: GroupAccess, site: str, *, by: str) -> str | None:
    """Take the drill away that is at a site, and return its id; None when there is none.

    One whose clean-up was cut off after its last part, so that only its report is missing, is such a drill, too: its
    point would stay forever.
    """
    taken = drill_run(access, site, "", by).place.taken()
    run_id = taken.run_id if taken else _unreported(access.site(site).catalog)
    if run_id is not None:
        clean_drill(drill_run(access, site, run_id, by))
    return run_id


def _unreported(catalog: Catalog) -> str | None:
    """Return a drill that was in the place and has no report."""
    drills = (folder for folder, plan in CutoverFolder.all(catalog.root) if not plan.mode.is_cutover)
    open_ones = (each for each in drills if StepName.PREPARE_DRILL in each.done() and each.report() is None)
    return next((folder.run_id for folder in open_ones), None)


def stop_place(run: DrillRun, key: str) -> None:
    """Stop what runs in the place, and prove it by closed ports.

    :param key: on whose behalf; a script of the same key is not started twice.
    :raises TransientError: a part is not proven to be stopped.
    """
    stop_site(run.target, key)
    ensure_stopped(run.target, fix="Stop it at the node by hand, then repeat this.")


def _drop_schemas(run: DrillRun, taken: Occupied) -> None:
    """Drop what the drill made, by names that only drills and restores give."""
    switch = read_switch(run.folder.schema_switch)
    made = [taken.schema_name, *((switch.next, switch.previous) if switch else ())]
    database = run.target.database
    with holding(database, taken.schema_name) as session, translated(database.label):
        for schema in made:
            if schema.startswith((DRILL_PREFIX, BESIDE_PREFIX)):
                drop(session, schema)


def _attempt(remove: Callable[[], None]) -> str | None:
    try:
        remove()
    except DrError as error:
        log.warning("%s", error)
        return error.what
    return None
