"""A real MySQL server beside a site's MariaDB: only for what concerns MySQL itself, and never part of ``make lab``.

Its programs are :class:`~lab.mysql_release.MySqlRelease`'s, which is installed when the first such server is prepared.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` when it cannot be installed or initialised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from lab.files import write
from lab.layout import SITES, Site
from lab.mysql_release import MySqlRelease
from lab.programs import account_name
from lab.servers.database import log_in, make_data_folder


@dataclass(frozen=True, slots=True)
class MySql:
    """The MySQL server of one site.

    :param root_password: of ``root@127.0.0.1``, the only account.
    """

    site: Site
    release: MySqlRelease
    root_password: str

    host = "127.0.0.1"

    @property
    def name(self) -> str:
        """Return the name of the process."""
        return f"{self.site.name}-mysql"

    @property
    def site_name(self) -> str:
        """Return the name of the site."""
        return self.site.name

    @property
    def port(self) -> int:
        """Return the TCP port."""
        return self.site.port("other_mysql")

    @property
    def ports(self) -> Sequence[int]:
        """Return the one port."""
        return (self.port,)

    @property
    def folder(self) -> Path:
        """Return the folder of everything that the server has."""
        return self.site.root / "mysql"

    @property
    def log(self) -> Path:
        """Return the error log."""
        return self.folder / "log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the site's clock."""
        return {"TZ": self.site.timezone}

    def connect(self, database: str | None = None) -> Connection[Cursor]:
        """Log in as root, with autocommit."""
        return log_in(self.host, self.port, "root", self.root_password, database)

    def prepare(self) -> None:
        """Make the configuration and, once, the data folder."""
        self.release.install()
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        password = self.root_password.replace("'", "''")
        write(
            self.folder / "init.sql",
            f"CREATE USER IF NOT EXISTS root@'127.0.0.1' IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n",
            mode=0o600,
        )
        write(self.folder / "my.cnf", self._configuration(), mode=0o600)
        if not (self.folder / "data").exists():
            make_data_folder(self.site, self.name, self.folder, self._installer)

    def command(self) -> Sequence[str]:
        """Return the command line; every setting is in the file."""
        return (str(self.release.programs / "mysqld"), f"--defaults-file={self.folder / 'my.cnf'}")

    def not_ready(self) -> str:
        """Return why nobody can log in yet."""
        try:
            self.connect().close()
        except pymysql.MySQLError as error:
            return str(error)
        return ""

    def _installer(self, draft: Path) -> list[str]:
        return [*self.command(), f"--datadir={draft}", "--initialize-insecure"]

    def _configuration(self) -> str:
        """Return ``my.cnf``: the folders that the programs were built for are not theirs here."""
        share = self.release.root / "usr" / "share" / "mysql"
        settings = {
            "user": account_name(),
            "basedir": self.release.root / "usr",
            "lc-messages-dir": share,
            "character-sets-dir": share / "charsets",
            "plugin-dir": self.release.root / "usr" / "lib" / "mysql" / "plugin",
            "secure-file-priv": "NULL",
            "datadir": self.folder / "data",
            "tmpdir": self.folder / "tmp",
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            "init-file": self.folder / "init.sql",
            "port": self.port,
            "bind-address": self.host,
            "mysqlx": "OFF",
            "skip-name-resolve": 1,
            "server-id": 10 + SITES.index(self.site.name),
            "log-bin": "binlog",
            "gtid-mode": "ON",
            "enforce-gtid-consistency": "ON",
            "log-bin-trust-function-creators": 1,
            "default-time-zone": self.site.database_offset,
            "innodb-buffer-pool-size": "64M",
            "innodb-redo-log-capacity": "32M",
            "innodb-flush-log-at-trx-commit": 1,
            "performance-schema": "OFF",
        }
        return "[mysqld]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items())
