"""The end of a pass: what this run has by now, and after the last pass the manifest and delta of the point to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from incorta_provider.dr.diff import Change
from incorta_provider.storage.copying.staged_index import read_index
from incorta_provider.storage.copying.workspace import Pass, Workspace
from incorta_provider.storage.manifest.cursor import Cursor, Edit, as_edits
from incorta_provider.storage.manifest.delta_file import (
    DeltaWriter,
    change_between,
    has_changes,
    path_of,
    read_delta,
    write_delta,
    write_first,
)
from incorta_provider.storage.manifest.manifest_file import edit
from incorta_provider.storage.survey.baseline import Baseline


def complete(known: Baseline, files: Pass) -> None:
    """Write the result of a pass: how it differs from the base, with what was copied."""
    with DeltaWriter(files.seen, known.base_id) as writer:
        for change in _changes(files):
            writer.add(change)
    files.clear()


def complete_last(known: Baseline, files: Pass, workspace: Workspace) -> None:
    """Write the result of the last pass, and make it the delta and the manifest of the point to be.

    The manifest of a point in which nothing changed is that of the point before, under a second name.
    """
    write_delta(files.seen, known.base_id, _changes(files), known.base)
    workspace.publish(files.seen, workspace.delta)
    if known.base is None:
        write_first(files.seen, workspace.manifest)
    elif not has_changes(files.seen):
        workspace.publish(known.base, workspace.manifest)
    else:
        edit(known.base, workspace.manifest, as_results(read_delta(files.seen)))
    files.clear()


def as_results(changes: Iterable[Change]) -> Iterator[Edit]:
    """Yield what each changed path becomes."""
    return ((path_of(change), change.new) for change in changes)


def without_fallback(missed: list[bytes], files: Pass) -> list[bytes]:
    """Return the files that were asked for and missed of which no earlier version is in the result."""
    if not missed:
        return []
    wanted = frozenset(missed)
    kept = {
        change.new.path for change in read_delta(files.draft) if change.new is not None and change.new.path in wanted
    }
    return [path for path in missed if path not in kept]


def _changes(files: Pass) -> Iterator[Change]:
    """Yield what is drafted, with the copies in their places, as far as it is a change."""
    copies = Cursor(as_edits(read_index(files.index)))
    for draft in read_delta(files.draft):
        path = path_of(draft)
        new = draft.new
        for name, copied in copies.until(path):
            if name == path:
                new = copied
            else:
                yield change_between(None, copied)
        if new != draft.old:
            yield change_between(draft.old, new)
    for _, copied in copies.rest():
        yield change_between(None, copied)
