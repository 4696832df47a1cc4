"""What every database server of the lab does in one way: logging in, and making its data folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from incorta_provider.exceptions import ConfigurationError
from lab.files import last_lines
from lab.layout import Site
from lab.supervisor import marked_environment


def log_in(host: str, port: int, user: str, password: str, database: str | None) -> Connection[Cursor]:
    """Open a session with autocommit."""
    return pymysql.connect(
        host=host,
        port=port,
        user=user,
        password=password,
        database=database,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=5,
    )


def make_data_folder(site: Site, name: str, folder: Path, installer: Callable[[Path], Sequence[str]]) -> None:
    """Make the data folder under another name first, so that a kill half way leaves none that looks whole.

    The markers let the next start end an installer that outlived the killed one.

    :param name: of the server.
    :param folder: of all that it has; ``data`` appears there.
    :param installer: returns the command that fills a folder.
    :raises ConfigurationError: the command fails.
    """
    draft = folder / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    log = folder / "install.log"
    with log.open("wb") as output:
        done = subprocess.run(
            installer(draft),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=marked_environment(site.lab, site.name, name),
            check=False,
        )
    if done.returncode != 0:
        raise ConfigurationError(
            f"{name} cannot be initialised. The end of its log:\n{last_lines(log)}\n",
            where=str(log),
            fix="Correct what the log names and run the same command again.",
        )
    draft.rename(folder / "data")
