"""Whether a run looks at every file, or passes unchanged folders over.

In a folder whose files are only ever added and removed, a time that did not change says that nothing did. A topology
can say so of folders; it cannot be held against the source without looking, so that at set intervals a run looks at
everything anyway. When that was stands in the run's workspace and later in its point, so that it lives and dies
with what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.records.json_file import read_model, write_json


class Look(FrozenModel):
    """How a run looks at its source.

    :ivar is_full: at every file.
    :ivar full_look_at: when the last full look began: this run's, or one before.
    """

    is_full: bool
    full_look_at: AwareDatetime


def passed_over(
    workspace: Workspace, base: Path | None, immutable: Sequence[str], *, every_seconds: float, now: datetime
) -> Sequence[str]:
    """Return the patterns of the folders that a run passes over while they are unchanged; none for a full look.

    All passes of a run look alike: the first one decides.

    :param base: the manifest of the point before, in its point's folder.
    :param immutable: the patterns that the topology has.
    :param every_seconds: how long after a full look the next one is due.
    :raises IntegrityError: a record is damaged.
    """
    if not immutable:
        return ()
    look = read_model(workspace.look, Look)
    if look is None:
        before = read_model(Workspace(base.parent).look, Look) if base else None
        look = _next(before, timedelta(seconds=every_seconds), now.astimezone(UTC))
        write_json(workspace.look, look.model_dump(mode="json"))
    return () if look.is_full else immutable


def _next(before: Look | None, every: timedelta, now: datetime) -> Look:
    """Return how to look; a last look that is still to come is that of a clock that was wrong."""
    if before is None or not before.full_look_at <= now < before.full_look_at + every:
        return Look(is_full=True, full_look_at=now)
    return Look(is_full=False, full_look_at=before.full_look_at)
