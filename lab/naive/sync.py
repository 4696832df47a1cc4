"""One round of the naive copy: files, metadata, and the values of the target site.

Raises :class:`subprocess.CalledProcessError` when one of the tools fails: the loop goes on with the next round, as a
cron job would.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lab.files import write
from lab.incorta.database import connect
from lab.incorta.settings import Database, NodeSettings

RSYNC_GONE = 24
"""rsync(1): some files vanished while they were copied; whoever writes such a script calls that success."""
_DUMP_OPTIONS = ("--single-transaction", "--routines", "--triggers", "--events", "--hex-blob")


@dataclass(frozen=True, slots=True)
class End:
    """One end of the copy.

    :param folder: where the option file of the database's client tools may lie; it is lost with the site.
    :param values: what the metadata of this site must say, by the names of the topology.
    """

    folder: Path
    database: Database
    storage: Path
    values: Mapping[str, str]


def end(settings: NodeSettings) -> End:
    """Return the site of a node as an end of the copy."""
    return End(settings.outbox.parent, settings.database, settings.storage, settings.values)


def copy(source: End, target: End) -> None:
    """Run one round."""
    copy_files(source, target)
    copy_metadata(source, target)
    rewrite_values(target)


def copy_files(source: End, target: End) -> None:
    """Make the target's files like the source's."""
    target.storage.mkdir(parents=True, exist_ok=True)
    argv = ["rsync", "--archive", "--delete", "--exclude", ".tmp", f"{source.storage}/", f"{target.storage}/"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode not in (0, RSYNC_GONE):
        done.check_returncode()


def copy_metadata(source: End, target: End) -> None:
    """Dump the source into the target."""
    dump_argv = ["mariadb-dump", _credentials(source), *_DUMP_OPTIONS, source.database.schema]
    load_argv = ["mariadb", _credentials(target), target.database.schema]
    with subprocess.Popen(dump_argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as dump:
        subprocess.run(load_argv, stdin=dump.stdout, capture_output=True, check=True)
    if dump.returncode:
        raise subprocess.CalledProcessError(dump.returncode, dump_argv)


def rewrite_values(target: End) -> None:
    """Give the target its own values, as a careful author does after the first surprise."""
    with closing(connect(target.database)) as session, session.cursor() as cursor:
        cursor.execute("UPDATE TENANT SET PATH = %s", target.values["tenants_path"])
        for name in ("cmc_url", "smtp_host"):
            cursor.execute("UPDATE SERVER_CONFIG SET VALUE = %s WHERE NAME = %s", (target.values[name], name))


def _credentials(one: End) -> str:
    """Return the option that names a file with the credentials: they never show in the process list."""
    database = one.database
    fields = {"host": database.host, "port": database.port, "user": database.user, "password": database.password}
    lines = "".join(f'{key} = "{value}"\n' for key, value in fields.items())
    path = one.folder / "naive.cnf"
    write(path, f"[client]\ndefault-character-set = utf8mb4\n{lines}", mode=0o600)
    return f"--defaults-file={path}"
