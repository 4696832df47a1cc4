"""The report of a cutover or a drill, as data: how long each step took, against what is usual, and what to know of it.

Seconds count from the approval. The page that shows it is made in :mod:`incorta_provider.steps.report_page`, its
picture in :mod:`incorta_provider.dr.report_picture`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, model_validator

from incorta_provider.dr.forecast import Forecast

PAST_RUNS = 5
"""So many of the newest earlier cutovers and drills say what is usual."""


DRILL = "drill"


def kind_of(mode: str) -> str:
    """Return what a run of a mode is.

    >>> kind_of("unplanned"), kind_of("drill")
    ('unplanned cutover', 'drill')
    """
    return DRILL if mode == DRILL else f"{mode} cutover"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a report outlives the release that wrote it

    @model_validator(mode="before")
    @classmethod
    def _unknown_is_absent(cls, fields: Any) -> Any:
        """What is not known stands in older reports and in those of drills as nothing."""
        known = isinstance(fields, Mapping)
        return {name: value for name, value in fields.items() if value is not None} if known else fields


class StepTime(_Part):
    """One step: its own seconds, and when it was done.

    :ivar usual_seconds: the median of the earlier runs; None when there is none.
    """

    name: str
    site: str
    seconds: float
    done_after_seconds: float
    usual_seconds: float | None = None

    @property
    def began_after_seconds(self) -> float:
        """When it began; never before the approval."""
        return max(0.0, self.done_after_seconds - self.seconds)


class FailedTry(_Part):
    """A try of a step that failed; the same step was done later, or is still to be done."""

    step: str
    after_seconds: float
    reason: str


class PastRun(_Part):
    """An earlier cutover or drill of the same site.

    :ivar began_at: when it was approved; a drill, which nobody approves, when it was requested.
    :ivar forecast_seconds: the RTO that a drill forecast for a cutover; None of a cutover.
    :ivar steps: seconds by step.
    """

    mode: str
    run_id: str
    recovery_point: str
    began_at: AwareDatetime
    rto_seconds: float
    forecast_seconds: float | None = None
    steps: dict[str, float]

    @property
    def kind(self) -> str:
        """What it was, in words."""
        return kind_of(self.mode)

    @classmethod
    def of(cls, report: Report) -> Self | None:
        """Return what an earlier report says; None of one that never came to a verified service."""
        if report.rto_seconds is None:
            return None
        return cls(
            mode=report.mode,
            run_id=report.run_id,
            recovery_point=report.recovery_point,
            began_at=report.approved_at or report.requested_at,
            rto_seconds=report.rto_seconds,
            forecast_seconds=report.forecast.seconds if report.forecast else None,
            steps={step.name: step.seconds for step in report.steps},
        )


class Files(_Part):
    """What comparing the files with the recovery point found."""

    equal: bool | None = None
    files: int | None = None
    bytes: int | None = None


class Metadata(_Part):
    """What comparing the metadata with the recovery point found."""

    equal: bool | None = None
    tables: int | None = None
    rows: int | None = None


def _in_words(database: object) -> object:
    """Tell what a fence did at a database as a sentence; what is words already stays as it is."""
    if not isinstance(database, dict):
        return database
    told = {
        "locked": database.get("accounts"),
        "not locked, because they may do everything": database.get("administrators"),
        "events off": database.get("events"),
    }
    parts = [f"{what}: {', '.join(map(str, names))}" for what, names in told.items() if names]
    return "; ".join([*parts, f"read_only {database.get('read_only')}"])


class Fence(_Part):
    """What of the source is fenced, and why the rest is not.

    :ivar database: how its metadata database is fenced, in words; empty where that was not tried.
    """

    epoch: int | None = None
    stopped: tuple[str, ...] = ()
    not_reached: dict[str, str] = {}
    database: Annotated[str, BeforeValidator(_in_words)] = ""


class Service(_Part):
    """What was ready when the service was verified, the last load of each schema, and how many rows tables gave."""

    ready: tuple[str, ...] = ()
    schemas: dict[str, str] = {}
    rows: dict[str, int] = {}


class Report(_Part):
    """What ``report.json`` holds.

    :ivar outcome: how it ended, or that it is under way.
    :ivar rpo_seconds: the loss in time, to the end of the fence; None before it.
    :ivar rpo_met: None while it is not known: a source that was never fenced may go on still.
    :ivar rto_seconds: from the approval to the verified service, of a drill from its files in place; None before it.
    :ivar forecast: what a drill says of the RTO of a cutover.
    :ivar expected_rto_seconds: what was to be expected of this run before it began, see :func:`expected_rto`.
    :ivar past: earlier cutovers and drills, the newest first.
    :ivar exceptions: what a reader must know, one sentence each.
    """

    outcome: str = "promoted"
    group: str
    run_id: str
    mode: str
    source: str
    target: str
    recovery_point: str
    plan_sha256: str = ""
    requested_by: str
    reason: str
    requested_at: AwareDatetime
    approved_by: str | None = None
    approved_at: AwareDatetime | None = None
    fenced_at: AwareDatetime | None = None
    verified_at: AwareDatetime | None = None
    rpo_seconds: float | None = None
    rpo_objective_seconds: float | None = None
    rpo_met: bool | None = None
    rto_seconds: float | None = None
    rto_objective_seconds: float | None = None
    rto_met: bool | None = None
    forecast: Forecast | None = None
    expected_rto_seconds: float | None = None
    steps: tuple[StepTime, ...] = ()
    failed_tries: tuple[FailedTry, ...] = ()
    past: tuple[PastRun, ...] = ()
    storage: Files = Files()
    metadata: Metadata = Metadata()
    unfenced: bool | None = None
    fence: Fence = Fence()
    service: Service = Service()
    exceptions: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What it was, in words."""
        return kind_of(self.mode)

    @property
    def title(self) -> str:
        """The headline."""
        return f"{'Drill' if self.mode == DRILL else 'Cutover'} of {self.group} to {self.target}"

    @property
    def end_seconds(self) -> float:
        """When the last thing happened that the report knows of."""
        moments = [step.done_after_seconds for step in self.steps] + [bad.after_seconds for bad in self.failed_tries]
        return max([self.rto_seconds or 0.0, *moments])

    @property
    def working_seconds(self) -> float:
        """How much of the RTO passed within steps; the rest passed between them. Steps that overlap count once."""
        spans = ((step.began_after_seconds, step.done_after_seconds) for step in self.steps_to_verified)
        return round(_covered(spans), 3)

    @property
    def steps_to_verified(self) -> list[StepTime]:
        """The steps that the RTO is made of."""
        limit = self.end_seconds if self.rto_seconds is None else self.rto_seconds
        return [step for step in self.steps if step.done_after_seconds <= limit]


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return how many seconds lie within at least one span."""
    total, reached = 0.0, 0.0
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, reached))
        reached = max(reached, ended)
    return total


def step_time(name: str, site: str, seconds: float, done_after: float, past: Sequence[PastRun]) -> StepTime:
    """Return one step of the timeline, with what is usual for it."""
    return StepTime(
        name=name,
        site=site,
        seconds=seconds,
        done_after_seconds=round(done_after, 3),
        usual_seconds=usual_seconds(name, past),
    )


def usual_seconds(step: str, past: Sequence[PastRun]) -> float | None:
    """Return the median of a step in earlier runs; None when none had it."""
    known = [run.steps[step] for run in past if step in run.steps]
    return round(median(known), 3) if known else None


def expected_rto(past: Sequence[PastRun]) -> float | None:
    """Return the RTO to expect of a cutover: what the newest drill forecast, or the median of the earlier runs.

    :return: None when there is none.
    """
    if (forecast := next((run.forecast_seconds for run in past if run.forecast_seconds is not None), None)) is not None:
        return forecast
    return round(median(run.rto_seconds for run in past), 3) if past else None


def newest_runs(reports: Iterable[Report], *, run_id: str, before: AwareDatetime) -> tuple[PastRun, ...]:
    """Return the runs to compare with, the newest first.

    :param run_id: the run that is reported, which is no earlier one.
    :param before: when that run was requested.
    """
    return _newest((report for report in reports if report.run_id != run_id), before)


def newest_cutovers(reports: Iterable[Report], *, before: AwareDatetime) -> tuple[PastRun, ...]:
    """Return the cutovers that were approved before a moment, the newest first."""
    return _newest((report for report in reports if report.mode != DRILL), before)


def _newest(reports: Iterable[Report], before: AwareDatetime) -> tuple[PastRun, ...]:
    runs = [run for report in reports if (run := PastRun.of(report)) is not None]
    earlier = [run for run in runs if run.began_at < before]
    return tuple(sorted(earlier, key=lambda run: run.began_at, reverse=True)[:PAST_RUNS])


def fence_exceptions(source: str, fence: Fence) -> list[str]:
    """Return what the fence did not reach."""
    return [f"{source} is not fully fenced: {part}: {reason}" for part, reason in fence.not_reached.items()]


def told_exceptions(result: Mapping[str, Any]) -> list[str]:
    """Return the sites that do not know who is active."""
    return [f"{site} was not told of the new role: {why}" for site, why in (result.get("not_told") or {}).items()]


def repair_exceptions(compared: Mapping[str, Any]) -> list[str]:
    """Return what the comparison found and mended."""
    return [f"the replica was repaired before the start: {fault}" for fault in compared.get("repaired") or ()]


def node_exceptions(site: str, verified: Mapping[str, Any]) -> list[str]:
    """Return that the promoted site has nodes which nobody stopped and nobody looked at."""
    found = verified.get("unknown_nodes")
    return [f"at {site} {found}: what runs at the others was not stopped before the restore"] if found else []
