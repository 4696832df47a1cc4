"""The result of a pass: what this run has by now, and after the last pass the manifest and delta of the point to be.

It is written while the copies come in, in path order. All of it are drafts until the last copy is there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from incorta_provider.dr.diff import Change
from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.workspace import Pass, Workspace
from incorta_provider.storage.manifest.cursor import Edit
from incorta_provider.storage.manifest.delta_file import DeltaWriter, change_between, has_changes, path_of, read_delta
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, edit
from incorta_provider.storage.survey.baseline import Baseline

Copies = Iterable[Sequence[Entry]]
"""What was copied, some files at once, in path order."""


def complete(known: Baseline, files: Pass, copies: Copies) -> None:
    """Write the result of a pass: how it differs from the base, with what was copied."""
    with DeltaWriter(files.seen, known.base_id) as seen:
        _write(seen, read_delta(files.draft), copies)


def complete_last(
    known: Baseline, files: Pass, workspace: Workspace, copies: Copies, left_out: Callable[[], list[bytes]]
) -> None:
    """Write the result of the last pass, and make it the delta and the manifest of the point to be.

    The manifest of a first point is its delta. That of a point in which nothing changed is the one of the point before,
    under a second name.

    :param left_out: called when all is copied, for the files that are in no point until they are whole. They are
        written down before there is a manifest.
    """
    with _first_manifest(known, workspace) as manifest:
        with DeltaWriter(files.seen, known.base_id, known.base, beside=manifest) as seen:
            _write(seen, read_delta(files.draft), copies)
        workspace.save_left_out(left_out())
        workspace.publish(files.seen, workspace.delta)
    is_changed = has_changes(files.seen)  # fails where another process made this one's workspace void meanwhile
    if known.base is None:
        return
    if not is_changed:
        workspace.publish(known.base, workspace.manifest)
    else:
        edit(known.base, workspace.manifest, as_results(read_delta(files.seen)))


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


def _first_manifest(known: Baseline, workspace: Workspace) -> AbstractContextManager[ManifestWriter | None]:
    return ManifestWriter(workspace.manifest) if known.base is None else nullcontext()


def _write(seen: DeltaWriter, drafted: Iterator[Change], copies: Copies) -> None:
    """Write what is drafted, with the copies in their places, as far as it is a change."""
    draft = next(drafted, None)
    for files in copies:
        paths = [file.path for file in files]
        at = 0
        while at < len(files):
            end = len(files) if draft is None else bisect_left(paths, path_of(draft), at)
            seen.add_files(files[at:end])
            at = end
            if draft is not None and at < len(files):
                is_copied = paths[at] == path_of(draft)
                _settle(seen, draft, files[at] if is_copied else draft.new)
                at += is_copied
                draft = next(drafted, None)
    while draft is not None:
        _settle(seen, draft, draft.new)
        draft = next(drafted, None)


def _settle(seen: DeltaWriter, draft: Change, new: Entry | None) -> None:
    if new != draft.old:
        seen.add(change_between(draft.old, new))
