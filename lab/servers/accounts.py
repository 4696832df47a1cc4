"""The accounts of a metadata database: an example of what an administrator grants to Incorta and to the provider.

``root``
    at ``127.0.0.1`` and over the socket. The lab's own.
``incorta``
    what Incorta and the provider log in with (``<site>_metadata``). These are the rights that the provider needs:

    ======================================  ==========================================================================
    right                                   what for
    ======================================  ==========================================================================
    ALL on ``incorta``                      Incorta itself; restore, rewriting, events on and off
    ALL on ``_dr_proof_%``                  the scratch schemas in which a dump is proven
    ALL on ``_dr_beside_%``                 the schemas in which a restore is made ready, and the one before is kept
    ALL on ``_dr_drill_%``                  the schemas in which a point is tried out
    SELECT on ``mysql.proc``                dump of routines that another account made
    SELECT on ``mysql.user``                whether a definer exists at this site
    SELECT on ``mysql.global_priv``         whether an account is locked
    PROCESS                                 dump; who still writes, before a fence
    BINLOG MONITOR                          the binary log position of a dump's snapshot
    RELOAD                                  FLUSH before a dump where the server is a MySQL
    SET USER                                restore of views and routines with their own definer
    CONNECTION ADMIN                        fence: end the sessions that were open before it
    ======================================  ==========================================================================
``incorta_dr``
    the same, and besides them what a fence needs: CREATE USER (lock and unlock ``incorta``), READ_ONLY ADMIN, BINLOG
    ADMIN (a fence is not for replicas), SHOW DATABASES (who else is on the server), ALL on ``_dr_fence``, and SELECT on
    the tables which tell who may write. It is an account of its own because a locked account cannot unlock itself, and
    because READ_ONLY ADMIN lets its owner write while the server is read-only (MariaDB manual, *read_only*).
"""

from __future__ import annotations

from lab.passwords import SitePasswords

INCORTA_ACCOUNT = "incorta"
FENCE_ACCOUNT = "incorta_dr"

_LOCAL_HOSTS = ("localhost", "127.0.0.1")
_HOSTS = (*_LOCAL_HOSTS, "%")
_GLOBAL = ("PROCESS", "BINLOG MONITOR", "RELOAD", "SET USER", "CONNECTION ADMIN")
_FENCE = (*_GLOBAL, "CREATE USER", "READ_ONLY ADMIN", "BINLOG ADMIN", "SHOW DATABASES")
_SYSTEM_TABLES = ("proc", "user", "global_priv")
_FENCE_TABLES = ("db", "tables_priv", "roles_mapping")


def account_statements(passwords: SitePasswords, schema: str) -> list[str]:
    """Return the statements of the first start: one a line, as ``init-file`` takes them, and safe to repeat.

    :param schema: Incorta's own; made empty when it is not there.
    """
    accounts = [
        *(_administrator(f"root@'{host}'", passwords.mysql_root) for host in _LOCAL_HOSTS),
        *(_user(f"{INCORTA_ACCOUNT}@'{host}'", passwords.mysql_incorta, schema, _GLOBAL) for host in _HOSTS),
        *(_fencer(f"{FENCE_ACCOUNT}@'{host}'", passwords.mysql_dr, schema) for host in _HOSTS),
    ]
    return [
        f"CREATE DATABASE IF NOT EXISTS `{schema}`;",
        f"DELETE FROM mysql.global_priv WHERE User IN ('', 'root') AND Host NOT IN {_LOCAL_HOSTS};",
        "FLUSH PRIVILEGES;",
        *(statement for account in accounts for statement in account),
    ]


def _administrator(account: str, password: str) -> list[str]:
    return [*_account(account, password), f"GRANT ALL ON *.* TO {account} WITH GRANT OPTION;"]


def _user(account: str, password: str, schema: str, rights: tuple[str, ...]) -> list[str]:
    return [
        *_account(account, password),
        f"GRANT {', '.join(rights)} ON *.* TO {account};",
        f"GRANT ALL ON `{schema}`.* TO {account};",
        f"GRANT ALL ON `\\_dr\\_proof\\_%`.* TO {account};",
        f"GRANT ALL ON `\\_dr\\_beside\\_%`.* TO {account};",
        f"GRANT ALL ON `\\_dr\\_drill\\_%`.* TO {account};",
        *(f"GRANT SELECT ON mysql.`{table}` TO {account};" for table in _SYSTEM_TABLES),
    ]


def _fencer(account: str, password: str, schema: str) -> list[str]:
    return [
        *_user(account, password, schema, _FENCE),
        f"GRANT ALL ON `\\_dr\\_fence`.* TO {account};",
        *(f"GRANT SELECT ON mysql.`{table}` TO {account};" for table in _FENCE_TABLES),
    ]


def _account(account: str, password: str) -> list[str]:
    return [f"CREATE USER IF NOT EXISTS {account};", f"ALTER USER {account} IDENTIFIED BY '{password}';"]
