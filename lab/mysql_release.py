"""A real MySQL on a machine whose own release has none: Debian unstable's programs in a folder, with their libraries.

Nothing is installed on the machine and no right is needed: apt downloads the packages with lists of its own, they are
unpacked, and each program is started through the dynamic loader of the same release. It happens once; the folder is
named last, so that a kill half way leaves none that looks whole.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` when the packages cannot be had.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.exceptions import ConfigurationError
from lab.files import write
from lab.programs import account_name

PACKAGES = ("mysql-server-core", "mysql-client-core")
_PROGRAMS = {"mysqld": "usr/sbin", "mysql": "usr/bin", "mysqldump": "usr/bin"}
_SUITE = "sid main"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_WRAPPER = """#!/bin/sh
root={root}
exec {loader} --library-path {libraries} --argv0 {name} "$root/{folder}/{name}" "$@"
"""


@dataclass(frozen=True, slots=True)
class MySqlRelease:
    """The programs of one release.

    :param folder: absolute; made by :meth:`install`.
    """

    folder: Path

    @property
    def programs(self) -> Path:
        """Return the folder to put in front of the path: ``mysqld``, ``mysql``, ``mysqldump``."""
        return self.folder / "bin"

    @property
    def root(self) -> Path:
        """Return the root of the file system that the packages make."""
        return self.folder / "root"

    def install(self) -> None:
        """Download and unpack the packages, unless that was done."""
        if self.folder.exists():
            return
        draft = MySqlRelease(self.folder.with_name(f"{self.folder.name}.new"))
        shutil.rmtree(draft.folder, ignore_errors=True)
        draft.root.mkdir(parents=True)
        for package in draft.download():
            _run(["dpkg-deb", "--extract", str(package), str(draft.root)])
        shutil.rmtree(draft.folder / "apt")
        draft.wrap(self.root)
        draft.folder.rename(self.folder)

    def download(self) -> list[Path]:
        """Return the packages and all that they depend on, down to the C library."""
        state = self.folder / "apt"
        for name in ("lists/partial", "archives/partial"):
            (state / name).mkdir(parents=True)
        write(state / "status", "")
        write(state / "sources.list", f"deb [signed-by={_KEYRING} check-valid-until=no] {_mirror()} {_SUITE}\n")
        options = {
            "Dir::Etc::SourceList": state / "sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": state / "lists",
            "Dir::State::Status": state / "status",
            "Dir::Cache": state,
            "Dir::Cache::Archives": state / "archives",
            "APT::Sandbox::User": account_name(),
            "Debug::NoLocking": "true",
        }
        apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
        _run([*apt, "update"])
        _run([*apt, "install", "--download-only", "--no-install-recommends", "--yes", *PACKAGES])
        return sorted((state / "archives").glob("*.deb"))

    def wrap(self, root: Path) -> None:
        """Write a starter for each program.

        :param root: where the file system will lie at last.
        """
        (loader,) = self.root.glob("usr/lib/*/ld-linux-*.so.*")
        libraries = root / loader.parent.relative_to(self.root)
        self.programs.mkdir()
        for name, folder in _PROGRAMS.items():
            text = _WRAPPER.format(
                root=_quoted(root),
                loader=_quoted(libraries / loader.name),
                libraries=_quoted(f"{libraries}:{root}/usr/lib/mysql/private"),
                folder=folder,
                name=name,
            )
            write(self.programs / name, text, mode=0o755)


def _mirror() -> str:
    """Return where this machine has Debian from."""
    said = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"])
    if not said.split():
        raise ConfigurationError(
            "this machine's apt knows no mirror of Debian", where="apt", fix="Run this where Debian is installed."
        )
    return said.split()[0]


def _quoted(path: object) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"


def _run(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"{' '.join(argv[:1])} failed: {done.stderr.strip()[-500:]}",
            where="Debian unstable's MySQL",
            fix="Correct what it names and run the same command again.",
        )
    return done.stdout
