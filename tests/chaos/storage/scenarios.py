"""What a worker does when it is killed: each is one step, which may be started again after any crash."""

from __future__ import annotations

from collections.abc import Callable

from incorta_provider.storage.copying.checks import drop_from_manifest, verify_staged
from incorta_provider.storage.records.ledger_file import LedgerFile
from incorta_provider.storage.vault.prune import Freed, drop, ensure_nothing_under_way, forget_bytes, sweep
from tests.builders.storage import EPOCH, Pair, complete, make_point


def copy(pair: Pair) -> None:
    """Do the passes of run B, from its pre-copy on."""
    workspace = pair.catalog.workspace("run of B")
    pair.copy(workspace)
    pair.copy(workspace, final=True)


def check(pair: Pair) -> None:
    """Check what run B staged, and leave out what is not whole."""
    workspace = pair.catalog.workspace("run of B")
    report = verify_staged(pair.target, workspace)
    assert report.damaged == (), report
    drop_from_manifest(workspace, report.framing_faults)


def seal(pair: Pair) -> None:
    """Seal run B, unless a former try did."""
    if any(point.id == "B" for point in pair.catalog.points()):
        return
    workspace = pair.catalog.workspace("run of B")
    complete(workspace)
    pair.catalog.seal(workspace, make_point("B", workspace, minute=2))


def whole_run(pair: Pair) -> None:
    """Make point B from beginning to end, as a run that is started again does."""
    if not any(point.id == "B" for point in pair.catalog.points()):
        copy(pair)
        check(pair)
        seal(pair)
    pair.apply("B")


def note(pair: Pair) -> None:
    """Write one line to the ledger."""
    by = {"at": EPOCH, "group": "acme", "run_id": "run of B", "actor": "chaos"}
    ledger = LedgerFile(pair.catalog.root / "ledger.jsonl")
    ledger.append("point.sealed", key="run of B:sealed", details={"point": "B"}, **by)


def prune(pair: Pair) -> None:
    """Drop point B, as a prune that is started again does."""
    with pair.catalog.lock("apply"):
        ensure_nothing_under_way(pair.catalog)
        for point in pair.catalog.points():
            if point.id == "B":
                drop(pair.catalog, point, reason="too old", by="chaos", run_id="prune", at=EPOCH)
        forget_bytes(pair.catalog, pair.target, Freed())
        sweep(pair.catalog, pair.target)


SCENARIOS: dict[str, Callable[[Pair], object]] = {
    "initialise": lambda pair: pair.catalog.initialise("acme", "newyork"),
    "copy": copy,
    "check": check,
    "seal": seal,
    "note": note,
    "whole": whole_run,
    "apply A": lambda pair: pair.apply("A"),
    "apply B": lambda pair: pair.apply("B"),
    "repair A": lambda pair: pair.target.apply("A", suspects=[b"a"]),
    "discard": lambda pair: pair.catalog.discard("run of B", pair.target.discard),
    "prune": prune,
    "collect": lambda pair: pair.catalog.discard_others("next run", pair.target.discard),
}
