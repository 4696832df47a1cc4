"""What a person wants to know first: which site is active, how old the newest recovery point is, what happened last.

A part that cannot be reached is said so in its line; the rest is still shown, because people ask when things are down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial

from incorta_provider.exceptions import DrError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.locking import lock_holder
from incorta_provider.steps.metadata_upkeep import metadata_lines
from incorta_provider.steps.readiness import Part, not_ready
from incorta_provider.steps.roles import role_at
from incorta_provider.steps.unfence import newest_role
from incorta_provider.steps.upkeep import upkeep_lines
from incorta_provider.steps.watch import unfenced_sites
from incorta_provider.storage.apply.actual import is_diverged
from incorta_provider.storage.records.drill_record import Proofs
from incorta_provider.storage.records.ledger_file import LedgerFile

RECENT_POINTS = 5
RECENT_ENTRIES = 5


def status_lines(access: GroupAccess) -> Iterator[str]:
    """Yield the lines that describe one group."""
    yield f"protection group {access.name}"
    now, rpo_seconds = access.clock(), access.config.objectives.rpo_seconds
    for name in access.config.sites:
        site = access.site(name)
        yield f"  site {name}"
        yield from (f"    {line}" for line in _coordination(access, site))
        yield from _part("recovery points", partial(_points, site, now, rpo_seconds))
        yield from _part("upkeep", partial(upkeep_lines, site))
        yield from _part("metadata", partial(metadata_lines, access, site))
        yield from _part("last in the ledger", partial(_recent, site))
    yield from _part("fences", partial(_unfenced, access))


def ledger_faults(ledger: LedgerFile) -> tuple[int, list[str]]:
    """Return how many lines a ledger has and what is wrong with them."""
    return sum(1 for _ in ledger.lines()), ledger.faults()


def _coordination(access: GroupAccess, site: SiteAccess) -> Iterator[str]:
    """Yield what ZooKeeper says, or twice why it says nothing."""
    problem = _quorum_problem(site)
    yield f"role: {problem or _asked(partial(_role, access, site))}"
    yield f"lock: {problem or _asked(partial(_lock, access, site))}"


def _quorum_problem(site: SiteAccess) -> str | None:
    """Say why ZooKeeper cannot be asked: a site that is gone tells so at once, where a session would wait to open."""
    try:
        problem = not_ready(site, Part.ZOOKEEPER)
    except DrError as error:
        problem = _in_words(error)
    return problem and f"unknown: {problem}"


def _asked(question: Callable[[], str]) -> str:
    try:
        return question()
    except DrError as error:
        return f"unknown: {_in_words(error)}"


def _part(title: str, lines: Callable[[], Iterable[str]]) -> list[str]:
    """Return the lines of a part that is read from files, or the one that says why it cannot be read."""
    try:
        return [f"    {line}" for line in lines()]
    except (DrError, OSError) as error:
        return [f"    {title}: unknown: {_in_words(error)}"]


def _in_words(error: DrError | OSError) -> str:
    what, where = (error.what, error.where) if isinstance(error, DrError) else (error.strerror, error.filename)
    return f"{what} [{where}]" if where else str(what)


def _role(access: GroupAccess, site: SiteAccess) -> str:
    role = role_at(access, site)
    if role is None:
        return "not initialised; run `incorta-dr epoch init`"
    return f"epoch {role.epoch}, active {role.active}, {role.state}, by {role.changed_by} at {_time(role.changed_at)}"


def _lock(access: GroupAccess, site: SiteAccess) -> str:
    holder = lock_holder(access, site)
    return "free" if holder is None else f"held by {holder.in_words(access.clock())}"


def _points(site: SiteAccess, now: datetime, rpo_seconds: int) -> Iterator[str]:
    points = site.catalog.points()
    if not points:
        yield "recovery points: none"
        return
    age = points[-1].age(now)
    verdict = "within" if 0 <= age <= rpo_seconds else "BEYOND"
    yield f"recovery points: {len(points)}; newest is {age:.0f} s old, {verdict} the objective of {rpo_seconds} s"
    live = site.catalog.live_point_id()
    state = "live, and written to since" if is_diverged(site.catalog) else "live"
    for point in points[-RECENT_POINTS:]:
        mark = f" ({state})" if point.id == live else ""
        if (proof := Proofs(site.catalog).of(point.id)) is not None:
            mark += f" (proven by a drill at {_time(proof.at)}, {proof.rto_seconds:.0f} s)"
        yield f"  {point.id}{mark}: {point.files} files, {point.tables} tables, {point.rows} rows, epoch {point.epoch}"


def _unfenced(access: GroupAccess) -> Iterator[str]:
    """Yield the sites that gave their role up and may be written to."""
    role = newest_role(access)
    for each in unfenced_sites(access, role) if role else ():
        parts = "; ".join(f"{part}: {reason}" for part, reason in each.known.get("not_reached", {}).items())
        yield f"{each.source.name} is NOT FENCED since cutover {each.run.run_id}: {parts}"


def _recent(site: SiteAccess) -> Iterator[str]:
    entries = site.ledger.recent(RECENT_ENTRIES)
    if entries:
        yield "last in the ledger:"
    for entry in entries:
        yield f"  {_time(entry.at)} {entry.event} by {entry.actor or 'unknown'} ({entry.run_id})"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
