"""The change breaker in a replication run: what it looks at, what it stops, and how a person lets a run through.

It looks twice. Before each copy at the source itself: mounted, the marker there, not empty. In the check, before
anything is sealed, at what the point to be lacks and changed. Either way the last good point is pinned, so that no
retention drops it while people look.

:raises PreconditionError: the breaker tripped; nothing was published or deleted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from incorta_provider.dr.breaker import Facts, tally, tripped
from incorta_provider.dr.diff import Change, diff
from incorta_provider.dr.manifest import Kind
from incorta_provider.exceptions import NothingToDo, PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.pin import ensure_reason, pin
from incorta_provider.steps.point import newest_whole
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.manifest.delta_file import delta_base, read_delta
from incorta_provider.storage.manifest.manifest_file import differing, read_totals
from incorta_provider.storage.records.breaker_file import WAITS, BreakerFile, Counts, Held, Override
from incorta_provider.storage.tree import AskedTree, Tree

log = logging.getLogger(__name__)


@contextmanager
def source_watched(run: ReplicationRun, tree: Tree) -> Iterator[None]:
    """Frame a copy: a source that is not mounted, absent, empty or not marked trips the breaker."""
    source = run.source
    try:
        fault = run.watched("a look at the source", tree.label, lambda: _source_fault(run, source, tree))
        if fault is None:
            yield
    except PreconditionError as error:
        if error.where == tree.label:
            raise _trip(run, [f"{error.what} [{error.where}]"], None) from None
        raise
    if fault is not None:
        raise _trip(run, [fault], None)


def ensure_within_limits(run: ReplicationRun) -> None:
    """Hold the point to be against the one before it."""
    facts = _facts(run)
    breaker = BreakerFile(run.catalog)
    reasons = tripped(facts, run.access.config.breaker)
    counts = Counts(removed=facts.removed.files, changed=facts.changed.files)
    if not reasons:
        _close(run, breaker)
    elif (word := breaker.override(run.run_id)) is not None and word.counts.covers(counts):
        _use(run, breaker, word, reasons)
    else:
        raise _trip(run, reasons, counts)


def held_run(run: ReplicationRun) -> str | None:
    """Return the run whose workspace must stay, because a person may let it through."""
    held = BreakerFile(run.catalog).held()
    return held.run_id if held is not None and held.counts is not None else None


def ensure_nobody_is_let_through(run: ReplicationRun) -> None:
    """Stand aside for a run that a person let through, until it has sealed its point or an hour has passed.

    :raises NothingToDo: names it.
    """
    word = BreakerFile(run.catalog).let_through(run.access.clock())
    if word is not None and word.run_id != run.run_id:
        raise NothingToDo(
            f"run {word.run_id} was let through the change breaker by {word.by} and goes first; "
            f"clear its failed task before {word.at + WAITS:%H:%M} UTC"
        )


def override(access: GroupAccess, site: SiteAccess, run_id: str, *, reason: str, by: str) -> Held:
    """Let the run that the breaker holds through, once, up to what was seen; return what that is.

    :raises PreconditionError: no reason was given, the breaker does not hold this run, or the source itself is at
        fault.
    """
    ensure_reason(reason)
    breaker = BreakerFile(site.catalog)
    held = breaker.held()
    if held is None or held.run_id != run_id:
        found = "no run" if held is None else f"run {held.run_id}"
        raise PreconditionError(
            f"the change breaker of {site.name} does not hold run {run_id}, it holds {found}",
            where=f"catalog of {site.name}",
            fix="Nothing was changed; `incorta-dr status` shows what it holds and why.",
        )
    if held.counts is None:
        raise PreconditionError(
            f"what stopped run {run_id} cannot be overridden: {'; '.join(held.reasons)}",
            where=f"catalog of {site.name}",
            fix="Fix the source, or correct the topology.",
        )
    breaker.save(Override(run_id=run_id, reason=reason, by=by, at=access.clock(), counts=held.counts))
    site.ledger.append(
        "breaker.overridden",
        at=access.clock(),
        key=f"breaker.overridden:{run_id}:{access.clock().isoformat()}",
        group=access.name,
        run_id=run_id,
        actor=by,
        details={"reason": reason, "reasons": list(held.reasons), **held.counts.model_dump()},
    )
    return held


def mount_fault(site: SiteAccess) -> str | None:
    """Say that nothing is mounted where the storage of a site should be; None when all is well."""
    if site.is_mounted:
        return None
    return f"nothing is mounted at {site.config.mount_point}, where the storage of {site.name} should be"


def _source_fault(run: ReplicationRun, source: SiteAccess, tree: Tree) -> str | None:
    fault = mount_fault(source)
    if fault is None:
        tree.check()
        fault = _marker_fault(run, tree)
    return fault


def _marker_fault(run: ReplicationRun, tree: Tree) -> str | None:
    marker = run.access.config.breaker.marker
    if marker is None:
        return None
    return None if _holds(tree, os.fsencode(marker)) else f"the marker file {marker} is not in {tree.label}"


def _holds(tree: Tree, path: bytes) -> bool:
    if isinstance(tree, AskedTree):
        return tree.holds(path)
    found = next(iter(tree.list(path, path + b"\0")), None)
    return found is not None and found.kind is Kind.FILE


def _facts(run: ReplicationRun) -> Facts:
    base, manifest = run.base_manifest(), run.workspace.manifest
    return tally(
        _changes(run),
        base_files=read_totals(base).files if base else None,
        files=read_totals(manifest).files,
    )


def _changes(run: ReplicationRun) -> Iterator[Change]:
    """Yield what leads from the point before to the one to be; from its delta, which is as long as that."""
    base, workspace = run.base_manifest(), run.workspace
    if base is None:
        return iter(())
    if workspace.delta.exists() and delta_base(workspace.delta) == run.record().previous:
        return read_delta(workspace.delta)
    return diff(*differing(base, workspace.manifest))


def _trip(run: ReplicationRun, reasons: list[str], counts: Counts | None) -> PreconditionError:
    now = run.access.clock()
    pinned = _pin_last_good(run)
    held = BreakerFile(run.catalog).hold(
        Held(run_id=run.run_id, at=now, reasons=tuple(reasons), counts=counts, pinned=pinned)
    )
    details = {"reasons": reasons, "pinned": pinned, "held_run": held.run_id, **(counts.model_dump() if counts else {})}
    run.note("breaker.tripped", f"breaker.tripped:{now.isoformat()}", details)
    kept = f" Recovery point {pinned} is pinned." if pinned else ""
    return PreconditionError(
        "the change breaker stopped this run:\n  " + "\n  ".join(reasons),
        where=f"source {run.source.name}",
        fix=f"Nothing was published, nothing was deleted.{kept} {_way_on(run, held)}",
    )


def _way_on(run: ReplicationRun, held: Held) -> str:
    if held.counts is None:
        return "Fix the source; the next run goes on by itself."
    return (
        f"If the change is meant: `incorta-dr breaker override --group {run.access.name} --site {run.target.name} "
        f"--run-id {held.run_id} --reason TEXT`, then clear the task that failed in that run."
    )


def _pin_last_good(run: ReplicationRun) -> str | None:
    good = newest_whole(run.catalog, run.catalog.points())
    if good is not None:
        reason = f"change breaker, run {run.run_id}"
        pin(run.access, run.target, good, reason=reason, by=run.actor, run_id=run.run_id)
    return good


def _use(run: ReplicationRun, breaker: BreakerFile, word: Override, reasons: list[str]) -> None:
    log.warning("let through by %s (%s):\n  %s", word.by, word.reason, "\n  ".join(reasons))
    if word.used_at is None:
        breaker.save(word.model_copy(update={"used_at": run.access.clock()}))
    breaker.release()
    details = {"reason": word.reason, "by": word.by, "reasons": reasons}
    run.note("breaker.override.used", f"breaker.override.used:{word.at.isoformat()}", details)


def _close(run: ReplicationRun, breaker: BreakerFile) -> None:
    if (held := breaker.held()) is not None:
        run.note("breaker.closed", "breaker.closed", {"held_run": held.run_id, "held_since": held.at.isoformat()})
        breaker.release()
