"""Verify the service: every part is ready, the cluster is of the right release, and the data can be asked.

:raises TransientError: a part is not ready (yet); says which, and what it says.
:raises ConfigurationError: a login is refused.
"""

from __future__ import annotations

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import TransientError
from incorta_provider.services.analytics import AnalyticsClient
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.readiness import Part, not_ready


def verify_service(run: CutoverRun) -> Result:
    """Check every part once more, log in, and read the schemas with their last load status."""

    def action(_: Plan) -> Result:
        problems = {part: reason for part in Part if (reason := not_ready(run.target, part))}
        if problems:
            raise TransientError(
                "not every part is ready: " + "; ".join(f"{part}: {reason}" for part, reason in problems.items()),
                where=f"site {run.target.name}",
                fix="The task is retried; if it stays so, look at the logs of that service.",
            )
        return {"ready": [str(part) for part in Part], "schemas": _schemas(run)}

    return run.perform(StepName.VERIFY, action)


def _schemas(run: CutoverRun) -> dict[str, str]:
    with AnalyticsClient.from_connection(run.target.analytics, run.target.config.analytics.tenant) as client:
        return {name: str(client.schema_status(name)) for name in client.schemas()}
