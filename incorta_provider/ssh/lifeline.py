"""Programs that the kernel ends when who started them is gone, whatever ended that.

The kernel looks at the *thread* that started a program. What is to live as long as the process is therefore started by
one that does nothing else, see :func:`start_for_process`. This module needs only the standard library, because it also
runs at nodes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import IO

_START = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9);"
    "os.getppid() == int(sys.argv[1]) or sys.exit(20); os.execvp(sys.argv[2], sys.argv[2:])"
)


def dying_with_us(argv: Sequence[str]) -> list[str]:
    """Return the words of a program that is killed when the thread that starts it ends."""
    return [sys.executable, "-I", "-S", "-c", _START, str(os.getpid()), *argv]


def start_for_process(argv: Sequence[str], complaint: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program that is killed when this process ends, and no sooner; it has no input and no output.

    :param complaint: takes what it prints as errors.
    """
    return _starter(os.getpid()).submit(_start, dying_with_us(argv), complaint).result()


def _start(words: Sequence[str], complaint: IO[bytes]) -> subprocess.Popen[bytes]:
    null = subprocess.DEVNULL
    return subprocess.Popen(words, stdin=null, stdout=null, stderr=complaint)


@cache
def _starter(_: int) -> ThreadPoolExecutor:
    """Return the one thread that starts such programs; a forked process has its own."""
    return ThreadPoolExecutor(1, "lifeline")
