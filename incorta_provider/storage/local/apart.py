"""Whether a replica and its vault lie apart from what another installation keeps.

What lies inside of a replica counts as its files, so the first apply would move it out; what lies inside of a catalog
or vault may be deleted by a prune. A topology refuses that for its own sites, but two of them do not know each other.
Seen is what leaves a trace on the way: a catalog or vault that a path lies in, a vault in its usual place beside a
folder on the way, and a catalog or vault right below the replica. It needs only the standard library, because it also
runs at nodes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from incorta_provider.exceptions import ConfigurationError

_MARKS = ("catalog.json", "vault.json")
_BESIDE = ".incorta-dr"
"""What the name of a vault ends in that nobody chose a place for."""


def ensure_apart(root: Path, vault: Path) -> None:
    """Refuse a replica or vault inside of what is another's, or around it.

    :raises ConfigurationError: names both, and whose it is.
    """
    root, vault = Path(os.path.realpath(root)), Path(os.path.realpath(vault))
    for place in (root, vault):
        for folder in place.parents:
            if (whose := _owner(folder)) is not None:
                raise _refused(place, f"lies inside of {folder}, where {whose} keeps its recovery points")
            beside = Path(f"{folder}{_BESIDE}")
            if beside not in (vault, *vault.parents) and (whose := _owner(beside)) is not None:
                raise _refused(place, f"lies inside of {folder}, the replica of {whose}, whose vault is {beside}")
    for folder in _folders(root):
        if folder != vault and (whose := _owner(folder)) is not None:
            raise _refused(root, f"holds {folder}, where {whose} keeps its recovery points")


def _folders(root: Path) -> Iterator[Path]:
    """Yield the folders right below a replica, if it is there."""
    try:
        with os.scandir(root) as entries:
            yield from (Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return


def _owner(folder: Path) -> str | None:
    """Return whose catalog or vault a folder is; None when it is none, or nobody here may know."""
    for name in _MARKS:
        try:
            found = json.loads((folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and {"group", "site"} <= found.keys():
            return f"{found['group']} at {found['site']}"
    return None


def _refused(place: Path, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"it {what}",
        where=str(place),
        fix="Nothing was changed. Choose another folder in the topology; what is given up for good, move away.",
    )
