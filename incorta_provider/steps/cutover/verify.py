"""Verify the service: every part is ready, the cluster is of the right release, and the data can be asked.

:raises TransientError: a part is not ready (yet), or a table does not answer; says which, and what it says.
:raises ConfigurationError: a login is refused, or there is no such table.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import TransientError
from incorta_provider.services.analytics import LOADING, AnalyticsClient
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.cutover.source_checks import unknown_nodes
from incorta_provider.steps.readiness import Part, not_ready

log = logging.getLogger(__name__)

LOAD_SECONDS = 1800.0
"""How long a load from staging may take."""

POLL_SECONDS = 1.0


def verify_service(run: CutoverRun) -> Result:
    """Check every part once more, log in, read the schemas with their last load status, and query the named tables."""

    def action(_: Plan) -> Result:
        if problems := _not_ready(run.target):
            raise TransientError(
                "not every part is ready: " + "; ".join(f"{part}: {reason}" for part, reason in problems.items()),
                where=f"site {run.target.name}",
                fix="The task is retried; if it stays so, look at the logs of that service.",
            )
        config = run.target.config.analytics
        with AnalyticsClient.from_connection(run.target.analytics, config.tenant) as client:
            schemas = {name: str(client.schema_status(name)) for name in client.schemas()}
            rows = {name: _rows(client, name, repair=config.load_from_staging) for name in config.tables}
        ready = [str(part) for part in Part]
        return {"ready": ready, "schemas": schemas, "rows": rows, "unknown_nodes": unknown_nodes(run.target)}

    return run.perform(StepName.VERIFY, action)


def _not_ready(site: SiteAccess) -> dict[Part, str]:
    """Ask about all parts at the same time; return why those that are not ready are not."""
    with ThreadPoolExecutor(max_workers=len(Part)) as pool:
        reasons = zip(Part, pool.map(partial(not_ready, site), Part), strict=True)
        return {part: reason for part, reason in reasons if reason}


def _rows(client: AnalyticsClient, name: str, *, repair: bool) -> int:
    """Count the rows of a table by a query; load its schema from staging and ask again where that is allowed."""
    schema, _, table = name.partition(".")
    try:
        return client.row_count(schema, table)
    except TransientError as error:
        if not repair:
            raise
        log.warning("%s does not answer (%s): loading %s from staging", name, error, schema)
    client.load_from_staging(schema)
    _wait_for_load(client, schema)
    return client.row_count(schema, table)


def _wait_for_load(client: AnalyticsClient, schema: str) -> None:
    deadline = time.monotonic() + LOAD_SECONDS
    while (status := client.schema_status(schema)) in LOADING:
        if time.monotonic() > deadline:
            raise TransientError(
                f"the load of {schema} from staging is {status} after {LOAD_SECONDS:.0f} s",
                where="Analytics",
                fix="Look at it in Incorta, then clear this task.",
            )
        time.sleep(POLL_SECONDS)
