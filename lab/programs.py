"""Finds the servers' programs, also for a normal user, whose path lacks the folders of system programs on Debian."""

from __future__ import annotations

import os
import shutil

_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find_program(name: str) -> str | None:
    """Return the full path of a program, or None when it is not here."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM]))
