"""The metadata database server of a site: a private MariaDB which reads nothing of the system's configuration.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` when the data folder cannot be made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from incorta_provider.exceptions import ConfigurationError
from lab.files import write
from lab.layout import SCHEMA, SITES, Site
from lab.passwords import SitePasswords
from lab.programs import account_name, find_program
from lab.servers.accounts import FENCE_ACCOUNT, INCORTA_ACCOUNT, account_statements
from lab.servers.certificates import Certificates
from lab.servers.database import log_in, make_data_folder

_SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Without NO_ZERO_DATE and NO_ZERO_IN_DATE: Incorta stores zero dates."""


@dataclass(frozen=True, slots=True)
class MariaDb:
    """The database server of one site, and what is needed to log in there."""

    site: Site
    passwords: SitePasswords

    host = "127.0.0.1"
    user = INCORTA_ACCOUNT
    schema = SCHEMA

    @property
    def name(self) -> str:
        """Return the name of the process."""
        return f"{self.site.name}-mariadb"

    @property
    def site_name(self) -> str:
        """Return the name of the site."""
        return self.site.name

    @property
    def port(self) -> int:
        """Return the TCP port."""
        return self.site.port("mysql")

    @property
    def ports(self) -> Sequence[int]:
        """Return the one port."""
        return (self.port,)

    @property
    def socket(self) -> Path:
        """Return the local socket."""
        return self.site.mariadb / "socket"

    @property
    def log(self) -> Path:
        """Return the error log."""
        return self.site.mariadb / "log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the site's clock."""
        return {"TZ": self.site.timezone}

    @property
    def password(self) -> str:
        """Return the password of the account ``incorta``."""
        return self.passwords.mysql_incorta

    @property
    def root_password(self) -> str:
        """Return the password of the account ``root``."""
        return self.passwords.mysql_root

    @property
    def certificates(self) -> Certificates:
        """Return the certificates of the server and of a client; TLS is offered to every session, and asked of none."""
        return Certificates(self.site.mariadb / "tls")

    def connect(self, database: str | None = None) -> Connection[Cursor]:
        """Log in as root, with autocommit."""
        return self._login("root", self.root_password, database)

    def prepare(self) -> None:
        """Make the configuration and, once, the data folder."""
        folder = self.site.mariadb
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tmp").mkdir(exist_ok=True)
        self.certificates.make()
        if not self._accounts_done.exists():
            write(self._init_file, "\n".join(account_statements(self.passwords, SCHEMA)) + "\n", mode=0o600)
        write(folder / "my.cnf", self._configuration(), mode=0o600)
        if not (folder / "data").exists():
            make_data_folder(self.site, self.name, folder, self._installer)

    def command(self) -> Sequence[str]:
        """Return the command line; every setting is in the file."""
        return ("mariadbd", f"--defaults-file={self.site.mariadb / 'my.cnf'}")

    def not_ready(self) -> str:
        """Return why the real account cannot log in yet."""
        try:
            self._login(self.user, self.password, SCHEMA).close()
            self._login(FENCE_ACCOUNT, self.passwords.mysql_dr, None).close()
        except pymysql.MySQLError as error:
            return self._unless_locked(error)
        self._accounts_done.touch()
        self._init_file.unlink(missing_ok=True)
        return ""

    def _unless_locked(self, error: pymysql.MySQLError) -> str:
        """Return the reason, but let a server pass whose account was locked by a fence after it was set up."""
        if not self._accounts_done.exists():
            return str(error)
        try:
            self.connect().close()
        except pymysql.MySQLError as still:
            return str(still)
        return ""

    @property
    def _accounts_done(self) -> Path:
        return self.site.mariadb / "accounts.done"

    @property
    def _init_file(self) -> Path:
        return self.site.mariadb / "accounts.sql"

    def _login(self, user: str, password: str, database: str | None) -> Connection[Cursor]:
        return log_in(self.host, self.port, user, password, database)

    def _installer(self, draft: Path) -> list[str]:
        return [self._program("mariadb-install-db"), *self._install_options(draft)]

    def _program(self, name: str) -> str:
        program = find_program(name)
        if program is None:
            raise ConfigurationError(f"no program {name}", where="this machine", fix="Run `python -m lab packages`.")
        return program

    @staticmethod
    def _install_options(draft: Path) -> list[str]:
        """Return the installer's options.

        Never ``--user``: as root the installer would then change the owner of the system's own PAM tool. The temporary
        folder is relative to the data folder, into which the server changes: the installer, a shell script, splits a
        path at its spaces there.
        """
        options = ["--no-defaults", "--force", "--skip-test-db", "--auth-root-authentication-method=normal"]
        return [*options, f"--datadir={draft}", "--tmpdir=../tmp", "--innodb-log-file-size=16M"]

    def _configuration(self) -> str:
        """Return ``my.cnf``.

        Each server has a ``tmpdir`` of its own: one that starts deletes the temporary tables of every other in a shared
        one. ``sync_binlog`` stays 0, for a killed process loses nothing that it wrote; only a killed machine would. The
        binary log's name is relative, so that a lab may be moved.
        """
        folder = self.site.mariadb
        settings = {
            "user": account_name(),
            "datadir": folder / "data",
            "tmpdir": folder / "tmp",
            "socket": self.socket,
            "pid-file": folder / "pid",
            "port": self.port,
            "bind-address": self.host,
            "skip-name-resolve": 1,
            "server-id": SITES.index(self.site.name) + 1,
            "gtid-domain-id": SITES.index(self.site.name) + 1,
            "log-bin": "binlog",
            "binlog-format": "ROW",
            "log-slave-updates": 1,
            "log-bin-trust-function-creators": 1,
            "event-scheduler": "ON",
            "character-set-server": "utf8mb4",
            "collation-server": "utf8mb4_unicode_ci",
            "default-time-zone": self.site.database_offset,
            "sql-mode": _SQL_MODE,
            "max-allowed-packet": "64M",
            "innodb-buffer-pool-size": "128M",
            "innodb-log-file-size": "16M",
            "innodb-flush-log-at-trx-commit": 1,
            "ssl-ca": self.certificates.ca,
            "ssl-cert": self.certificates.certificate("server"),
            "ssl-key": self.certificates.key("server"),
        }
        if self._init_file.exists():
            settings["init-file"] = self._init_file
        return "[mariadbd]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items())
