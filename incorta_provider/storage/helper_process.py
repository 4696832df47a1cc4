"""What runs in a helper process; started by :class:`incorta_provider.storage.helpers.Helpers` and by nothing else."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from incorta_provider.exceptions import DrError

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do work until the other end of the pipe is closed; arguments: the pipe's descriptor, the parent's process id."""
    handle, parent = int(sys.argv[1]), int(sys.argv[2])
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(handle) as pipe:
        try:
            _serve(pipe)
        except (EOFError, OSError):
            return


def _serve(pipe: Connection[Any, Any]) -> None:
    work = pipe.recv()
    while True:
        pipe.send(_outcome(work, pipe.recv()))


def _outcome(work: Callable[[Any], Any], item: Any) -> tuple[Any, tuple[type[DrError], str, str, str] | None]:
    """Return a result or the parts of an error: an error of a bug carries its trace, which no one else can show."""
    try:
        return work(item), None
    except DrError as error:
        return None, (type(error), error.what, error.where, error.fix)
    except Exception:
        return None, (DrError, traceback.format_exc(), f"helper process {os.getpid()}", "Report this as a bug.")


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, and see to a parent that died already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
