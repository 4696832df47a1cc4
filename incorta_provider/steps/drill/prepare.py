"""Make the place ready: clean, stopped, and with the point's files beside the replica.

:raises IntegrityError: the bytes of a file are nowhere.
:raises PreconditionError: the folder or the schema of the drill holds what no drill left there.
:raises TransientError: what runs in the place is not proven to be stopped.
"""

from __future__ import annotations

import logging
import time

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import DrError, PreconditionError
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.schema import holds_anything
from incorta_provider.steps.cutover.run import Result
from incorta_provider.steps.drill.clean import clean_site, stop_place
from incorta_provider.steps.drill.run import DrillRun
from incorta_provider.storage.drill_files import empty_folder, ensure_empty, place_files
from incorta_provider.storage.records.drill_record import Occupied
from incorta_provider.storage.url import local_path

log = logging.getLogger(__name__)


def prepare_drill(run: DrillRun) -> Result:
    """Take the place, stop what runs there, and bring the point's files."""

    def action(plan: Plan) -> Result:
        _take_place(run)
        began = time.monotonic()
        stop_place(run, run.script_key(StepName.PREPARE_DRILL))
        started = time.monotonic()
        folder, drill = local_path(run.target.config.storage), run.site.config.drill
        way = drill.way if drill else "copy"
        empty_folder(folder)
        place_files(run.site.catalog, local_path(run.site.config.storage), plan.recovery_point, folder, way)
        point = run.point()
        return {
            "way": way,
            "files": point.files,
            "bytes": point.bytes,
            "stop_seconds": round(started - began, 3),
            "copy_seconds": round(time.monotonic() - started, 3),
        }

    return run.perform(StepName.PREPARE_DRILL, action)


def _take_place(run: DrillRun) -> None:
    """Clean up what another drill left, then write down that the place is ours, before anything is made in it."""
    taken = run.place.taken()
    if taken is None or taken.run_id != run.run_id:
        _clean_before(run, is_taken=taken is not None)
        folder = local_path(run.target.config.storage)
        ensure_empty(folder)
        _ensure_no_schema(run)
        schema = run.target.config.metadata.schema_name
        run.place.take(Occupied(run_id=run.run_id, storage=folder, schema_name=schema, at=run.access.clock()))


def _clean_before(run: DrillRun, *, is_taken: bool) -> None:
    """Take away what is in the place. An old drill of which only the report is missing holds up no new one."""
    try:
        clean_site(run.access, run.site.name, by=run.actor)
    except DrError as error:
        if is_taken:
            raise
        log.warning("a drill before this one gets no report: %s", error)


def _ensure_no_schema(run: DrillRun) -> None:
    database = run.target.database
    with database.connect_to(None) as session, translated(database.label):
        if holds_anything(session, database.schema):
            raise PreconditionError(
                f"schema {database.schema} is not empty, and no earlier drill left it that way",
                where=database.label,
                fix="Name another schema in the topology, drill.schema, or drop it by hand.",
            )
