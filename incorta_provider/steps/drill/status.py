"""What a person wants to know of drills: whether one is in place, how the last ones went, which points they proved.

:raises IntegrityError: a record cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator

from incorta_provider.dr.report import Report
from incorta_provider.steps.access import SiteAccess
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from incorta_provider.storage.records.drill_record import DrillPlace, Proofs

RECENT = 5


def drill_lines(site: SiteAccess) -> Iterator[str]:
    """Yield the lines about the drills at a site, the newest drill last."""
    taken = DrillPlace(site.catalog).taken()
    if taken is None:
        yield "no drill is in place"
    else:
        since = f"{taken.at:%Y-%m-%d %H:%M:%S} UTC"
        yield f"drill {taken.run_id} is in place since {since}: {taken.schema_name}, {taken.storage}"
    drills = [(folder, plan) for folder, plan in CutoverFolder.all(site.catalog.root) if not plan.mode.is_cutover]
    for folder, plan in sorted(drills, key=lambda each: each[1].created_at)[-RECENT:]:
        yield f"{plan.created_at:%Y-%m-%d %H:%M:%S} UTC {plan.run_id} of {plan.recovery_point}: {_outcome(folder)}"
    for point in site.catalog.points():
        if (proof := Proofs(site.catalog).of(point.id)) is not None:
            when = f"{proof.at:%Y-%m-%d %H:%M:%S} UTC"
            yield f"proven {point.id} at {when}, {proof.rto_seconds:g} s by drill {proof.run_id}"


def _outcome(folder: CutoverFolder) -> str:
    document = folder.report()
    if document is None:
        return "not cleaned up yet"
    report = Report.model_validate(document)
    if report.outcome != "proven":
        return f"failed; {'; '.join(report.exceptions)}"
    forecast = f"; forecast of a cutover {report.forecast.in_words}" if report.forecast else ""
    return f"proven, verified {report.rto_seconds:g} s after its files were in place{forecast}"
