"""File systems that are mounted inside of the source: one that is gone must not look as if its files were deleted.

The breaker sees an empty source, and one that shrank a lot. A small file system inside of it is below that. So each
point keeps where others were mounted when it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.records.json_file import read_json, write_json
from incorta_provider.storage.tree import MountedTree, Tree


def ensure_mounted(source: Tree, base: Path | None, workspace: Workspace) -> None:
    """Refuse a source of which a part that was mounted at the point before is not any more, and is empty; call it after
    the listing. Where others are mounted now is kept for the next run.

    :param base: the manifest of the point before, in its point's folder.
    :raises PreconditionError: names the folder.
    """
    if not isinstance(source, MountedTree):
        return
    now = source.mounts()
    for folder in _read(Workspace(base.parent)) if base else ():
        if folder not in now and source.is_bare(folder):
            raise PreconditionError(
                f"nothing is mounted at {shown(folder)}, as there was at the point before, and it is empty",
                where=source.label,
                fix="Nothing was deleted. Mount it; if it is to stay empty, put a file there or exclude it.",
            )
    if now or workspace.mounts.exists():
        write_json(workspace.mounts, [quote_from_bytes(path) for path in now])


def _read(workspace: Workspace) -> Sequence[bytes]:
    return [unquote_to_bytes(path) for path in read_json(workspace.mounts) or ()]
