"""What runs in a helper process; only :class:`incorta_provider.storage.copying.helpers.Helpers` starts one."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from incorta_provider.exceptions import DrError

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do work until the other end of the pipe is closed; arguments: the parent's process id, one descriptor a helper.

    The work comes through the first pipe, and each helper makes its own of it: what counts or locks must not be shared.
    """
    parent, *handles = map(int, sys.argv[1:])
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipes: list[Connection[Any, Any]] = [Connection(handle) for handle in handles]
    first, *others = pipes
    try:
        packed = first.recv_bytes()
    except (EOFError, OSError):
        return
    work = _unpacked(packed)
    gc.freeze()  # modules are not garbage: to look through them would cost each helper time, and a copy of their pages
    children = [_forked(pipe, pipes, packed) for pipe in others]
    for pipe in others:
        pipe.close()
    _serve(first, work)
    for child in children:
        os.waitpid(child, 0)


def _forked(pipe: Connection[Any, Any], everyones: Sequence[Connection[Any, Any]], packed: bytes) -> int:
    """Fork a helper that serves one pipe, and return its process id.

    It must hold no end of another's: an open one would hide that the other helper died.
    """
    me = os.getpid()
    if child := os.fork():
        return child
    status = 1
    try:
        _die_with(me)
        for other in everyones:
            if other is not pipe:
                other.close()
        _serve(pipe, _unpacked(packed))
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


def _unpacked(packed: bytes) -> Callable[[Any], Any]:
    work: Callable[[Any], Any] = pickle.loads(packed)  # noqa: S301 - the parent's, by a pipe that only it has
    return work


def _serve(pipe: Connection[Any, Any], work: Callable[[Any], Any]) -> None:
    """Answer until nobody asks any more."""
    try:
        while True:
            pipe.send(_outcome(work, pipe.recv()))
    except (EOFError, OSError):
        return


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
