"""Keep what is left of a lost connection from writing beside its successor.

Each group of writers has one small file in the vault, the fence, with the token of the worker that may write. Who
writes holds the file's lock, shared, as long as it writes, and only if the token in it is its own; an rsync holds it to
its end. A new worker takes the lock alone, which waits for all that still write, and puts its own token in: from then
on the old one's requests are refused.

This module needs only the standard library, because it runs at the node.

:raises TransientError: another worker's processes still write, or another worker has taken over.
:raises OSError: the vault cannot be written.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from incorta_provider.exceptions import DrError, TransientError

_PATIENCE = 90.0
"""Seconds; an rsync whose connection was lost gives up within a minute, see ``rsync``."""

_POLL = 0.1
_PR_SET_PDEATHSIG = 1


def take_over(path: str, token: str) -> None:
    """Wait for all that still write behind the fence at ``path``, and let only ``token`` in from now on."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock_alone(handle, path)
        os.ftruncate(handle, 0)
        os.pwrite(handle, token.encode(), 0)
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def inside(path: str, token: str) -> Iterator[int]:
    """Write behind the fence while a block runs; yields the descriptor that holds the lock."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _overtaken(path) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        if os.pread(handle, 200, 0) != token.encode():
            raise _overtaken(path)
        yield handle
    finally:
        os.close(handle)


def run_fenced(arguments: Sequence[str]) -> NoReturn:
    """Become a program that holds the fence to its end, and dies with the process that started it.

    :param arguments: path of the fence in hexadecimal, token, and the words of the program.
    """
    path, token, *words = arguments
    try:
        with inside(os.fsdecode(bytes.fromhex(path)), token) as handle:
            os.set_inheritable(handle, True)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            _become(words)
    except DrError as error:
        sys.stderr.write(f"incorta-dr: {error}\n")
    except OSError as error:
        sys.stderr.write(f"incorta-dr: the vault cannot be written: {error.strerror} ({error.errno})\n")
    sys.exit(os.EX_TEMPFAIL)


def _become(words: list[str]) -> NoReturn:
    """Become a program; one that is not there ends as in a shell."""
    try:
        os.execvp(words[0], words)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"incorta-dr: {words[0]}: {error.strerror}\n")
        sys.exit(127)


def _lock_alone(handle: int, path: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TransientError(
                    "processes of a former worker still write there",
                    where=path,
                    fix="Look for rsync and python3 of this account at the node (`fuser -v` names them), then retry.",
                ) from None
            time.sleep(_POLL)
        else:
            return


def _overtaken(path: str) -> TransientError:
    return TransientError("another worker has taken over", where=path, fix="Let that one end, then retry.")
