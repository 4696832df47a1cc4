"""What the machine offers: its programs, of which a normal user of Debian does not see all, and the account."""

from __future__ import annotations

import os
import pwd
import shutil

_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find_program(name: str) -> str | None:
    """Return the full path of a program, or None when it is not here."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM]))


def account_name() -> str:
    """Return the account that runs this process: by its id, for the environment may still name another."""
    return pwd.getpwuid(os.geteuid()).pw_name
