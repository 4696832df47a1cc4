"""Which programs the lab needs, which Debian packages hold them, and how to get those that are missing.

``mariadb-server-core`` is asked for and not ``mariadb-server``: it has the same programs and no system service, so that
no database of the machine's own is started. ``openssh-server`` has no such sibling; Debian starts its sshd.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` when something is missing and cannot be installed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from incorta_provider.exceptions import ConfigurationError
from lab.programs import find_program

REQUIRED: dict[str, tuple[str, ...]] = {
    "mariadb-server-core": ("mariadbd", "mariadb-install-db"),
    "mariadb-client-core": ("mariadb", "my_print_defaults"),
    "mariadb-client": ("mariadb-dump",),
    "libzookeeper-java": ("/usr/share/java/zookeeper.jar",),
    "libslf4j-java": ("/usr/share/java/slf4j-simple.jar",),
    "default-jre-headless": ("java",),
    "openssh-server": ("/usr/sbin/sshd",),
    "openssh-client": ("ssh", "ssh-keygen"),
    "rsync": ("rsync",),
}
"""Debian package: the programs (looked up in the path) and files of it that the lab uses."""


def missing() -> list[str]:
    """Return the packages of which a program or a file is not here."""
    return [package for package, items in REQUIRED.items() if not all(_is_here(item) for item in items)]


def require() -> None:
    """Refuse to go on without one of the packages.

    :raises ConfigurationError: names each missing package and the command that installs them.
    """
    packages = missing()
    if packages:
        raise ConfigurationError(
            f"the lab lacks {', '.join(packages)}",
            where="this machine",
            fix=f"Run `{' '.join(install_command(packages))}`, as root or with sudo.",
        )


def install_command(packages: Sequence[str]) -> list[str]:
    """Return the command that installs the packages."""
    return ["apt-get", "install", "--yes", "--no-install-recommends", *packages]


def install(packages: Sequence[str]) -> None:
    """Install packages through apt, as root or through a sudo that asks for no password.

    :raises ConfigurationError: there is no apt, no right to use it, or apt failed.
    """
    command = install_command(packages)
    prefix = _root_prefix()
    if find_program("apt-get") is None or prefix is None:
        raise ConfigurationError(
            f"cannot install {', '.join(packages)} from here",
            where="this machine",
            fix=f"Run `{' '.join(command)}` as root, or the like of your system.",
        )
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update", "--quiet"], command):
        done = subprocess.run([*prefix, *argv], stdin=subprocess.DEVNULL, env=quiet, check=False)
        if done.returncode != 0:
            raise ConfigurationError(
                f"`{' '.join(argv)}` failed with status {done.returncode}",
                where="apt",
                fix="Correct what it says above and run the same command again.",
            )


def _root_prefix() -> list[str] | None:
    """Return what stands before a command to run it as root; None when that is not to be had."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "--non-interactive"]
    if find_program("sudo") is None:
        return None
    allowed = subprocess.run([*sudo, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return [*sudo, "DEBIAN_FRONTEND=noninteractive"] if allowed.returncode == 0 else None


def _is_here(item: str) -> bool:
    return Path(item).exists() if item.startswith("/") else find_program(item) is not None
