"""The state folder of a lab: which ports it was made with, and who is changing it now.

Raises :class:`~incorta_provider.exceptions.PreconditionError` for other ports than the folder's, and while another
command changes the same lab.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from incorta_provider.exceptions import PreconditionError
from lab.files import write
from lab.layout import DEMO_BASE, Lab


def open_lab(root: Path, base: int | None = None) -> Lab:
    """Return the lab in a folder; with the ports that it was made with, or ``base`` when it is new.

    :raises PreconditionError: it was made with other ports than those asked for.
    """
    root = root.resolve()
    recorded = _recorded_base(root)
    if base is not None and recorded is not None and base != recorded:
        raise PreconditionError(
            f"this lab was made with --base {recorded}, not {base}",
            where=str(root),
            fix="Leave --base out, or remove the folder after `python -m lab down`.",
        )
    return Lab(root, recorded or base or DEMO_BASE)


def record_base(lab: Lab) -> None:
    """Keep the ports of a new lab."""
    write(_base_file(lab.root), json.dumps({"base": lab.base}))


@contextmanager
def exclusive(lab: Lab) -> Iterator[None]:
    """Keep every other command from changing the lab meanwhile; the kernel frees it however this one ends.

    :raises PreconditionError: another command is at work.
    """
    lab.root.mkdir(parents=True, exist_ok=True)
    with (lab.root / "lab.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PreconditionError(
                "another command is changing this lab", where=str(lab.root), fix="Wait until it has ended."
            ) from None
        yield


def _base_file(root: Path) -> Path:
    return root / "lab.json"


def _recorded_base(root: Path) -> int | None:
    try:
        return int(json.loads(_base_file(root).read_text(encoding="utf-8"))["base"])
    except FileNotFoundError:
        return None
