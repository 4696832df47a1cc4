"""Symbolic links in a local tree: only those that stay inside it travel.

A link is stored as it is, so it means at the other site what it means here only when it is relative and every step of
its resolution stays inside the root. Text alone does not show that: a step may itself be a link.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH118

from __future__ import annotations

import os

from incorta_provider.dr.manifest import parent_of, shown
from incorta_provider.exceptions import IntegrityError


def ensure_inside(root: bytes, path: bytes, target: bytes) -> None:
    """Refuse a link that leads out of the root; one that leads nowhere inside it is allowed.

    :param path: the link, relative to ``root``.
    :raises IntegrityError: names the link and where it leads.
    """
    if not target.startswith(b"/") and _resolves_inside(root, path, target):
        return
    raise IntegrityError(
        f"the symbolic link {shown(path)} leads out of the storage, to {shown(target)}",
        where=os.fsdecode(root),
        fix="Make it relative and inside the storage, or exclude it in the topology.",
    )


def _resolves_inside(root: bytes, path: bytes, target: bytes) -> bool:
    home = os.path.realpath(root)
    folder = os.path.join(home, parent_of(path))
    as_text = os.path.normpath(os.path.join(folder, target))
    resolved = os.path.realpath(os.path.join(folder, target))
    return all(place == home or place.startswith(home + b"/") for place in (as_text, resolved))
