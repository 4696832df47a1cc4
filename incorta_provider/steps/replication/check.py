"""Check what was copied, before anything is published.

Every staged byte is read back and compared, every Parquet file is whole, and every file that the metadata name is in
the manifest.

:raises IntegrityError: names the first files at fault; the run is void, the last sealed point stays good.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.dr.references import Reference, unmet
from incorta_provider.exceptions import IntegrityError
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.checks import drop_from_manifest, verify_staged
from incorta_provider.storage.manifest_file import read_manifest

log = logging.getLogger(__name__)

SHOWN = 20


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the check saw.

    :param references: how many files the metadata name; None when the topology has no queries for them.
    :param left_out: names of files that are still being written, and that nothing needs yet.
    """

    references: int | None
    left_out: tuple[str, ...]


def check(run: ReplicationRun) -> CheckReport:
    """Check the staged files and the manifest of the point to be."""
    with run.step("check"):
        workspace = run.workspace
        report = verify_staged(workspace)
        _refuse_if(report.damaged, "do not hold what was copied", run)
        if report.framing_faults:
            drop_from_manifest(workspace, report.framing_faults)
        faults = list(unmet(read_references(workspace.references), read_manifest(workspace.manifest)))
        if faults:
            raise _void(f"the metadata name {len(faults)} file(s) that the copy does not hold", faults, run)
        return CheckReport(
            references=_count(workspace.references) if run.access.config.metadata.references else None,
            left_out=tuple(_shown(path) for path in report.framing_faults),
        )


def read_references(path: Path) -> Iterator[Reference]:
    """Yield the references that the dump step wrote, in their order."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            yield Reference(fields["path"].encode(), fields.get("size"), fields.get("sha256"))


def _count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _refuse_if(paths: tuple[bytes, ...], what: str, run: ReplicationRun) -> None:
    if paths:
        raise _void(f"{len(paths)} staged file(s) {what}", [_shown(path) for path in paths], run)


def _void(what: str, faults: list[str], run: ReplicationRun) -> IntegrityError:
    return IntegrityError(
        f"{what}:\n  " + "\n  ".join(faults[:SHOWN]),
        where=f"workspace of run {run.run_id} at {run.target.name}",
        fix="Nothing was published and the last sealed point stays good; the next run starts over.",
    )


def _shown(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
