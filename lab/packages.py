"""Which programs the lab needs, and which of their Debian packages are missing here.

The list is ``packages.txt``, which ``scripts/setup.sh`` reads as well; that script is also what installs.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` when something that the lab runs is missing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from incorta_provider.exceptions import ConfigurationError
from lab.programs import find_program

_LIST = Path(__file__).with_name("packages.txt")
_SETUP = Path(__file__).resolve().parent.parent / "scripts" / "setup.sh"
_SECTION = re.compile(r"^# (\w+): ")

Packages = Mapping[str, tuple[str, ...]]
"""Debian package: the programs and files of it that are used."""


def lab_packages(text: str | None = None) -> Packages:
    """Return what the lab runs: the part of the list below the comment that begins with ``# Lab:``.

    The other parts serve to build the Python environment, which is there when this is asked.

    :param text: the list; the file's own when None.
    """
    section = ""
    found: dict[str, tuple[str, ...]] = {}
    for line in (_LIST.read_text(encoding="utf-8") if text is None else text).splitlines():
        heading = _SECTION.match(line)
        if heading:
            section = heading[1]
        elif section == "Lab" and line.strip() and not line.startswith("#"):
            package, *items = line.split()
            found[package] = tuple(items)
    return found


def missing(packages: Packages | None = None) -> list[str]:
    """Return the packages of which a program or a file is not here."""
    wanted = lab_packages() if packages is None else packages
    return [package for package, items in wanted.items() if not all(_is_here(item) for item in items)]


def require() -> None:
    """Refuse to go on without one of the packages.

    :raises ConfigurationError: names each missing package and the command that installs them.
    """
    absent = missing()
    if absent:
        raise ConfigurationError(
            f"the lab lacks {', '.join(absent)}",
            where="this machine",
            fix=f"Run `make setup`, or as root `apt-get install --no-install-recommends {' '.join(absent)}`.",
        )


def install() -> None:
    """Install what is missing, as ``make setup`` does: through apt, as root or with a sudo that asks nothing.

    :raises ConfigurationError: the script failed; it has said why.
    """
    done = subprocess.run([str(_SETUP)], stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"the set-up ended with status {done.returncode}", where=str(_SETUP), fix="Do what it says above."
        )


def _is_here(item: str) -> bool:
    return Path(item).exists() if item.startswith("/") else find_program(item) is not None
