"""The options with which the OpenSSH client logs in for copies: a file of our own, and none of the account's.

Nothing is asked, nothing is learned, and only the pinned host keys and the one key are used. This module needs only the
standard library, because it also runs at nodes.

:raises ConfigurationError: a value cannot be written into such a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.exceptions import ConfigurationError

ALIAS = "node"
"""What the node is called on command lines: its real name could begin with a dash."""

_CONNECT_SECONDS = 15
_ALIVE_SECONDS = 15
_ALIVE_COUNT = 4
"""A connection on which nothing came for a minute is given up."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where to log in, and with what.

    :param key_file: path of a private key without passphrase.
    :param host_keys: lines of type and base64, see known_hosts in sshd(8).
    """

    host: str
    port: int
    login: str
    key_file: str
    host_keys: tuple[str, ...]

    @property
    def place(self) -> str:
        """Account, host and port, for messages."""
        return f"{self.login}@{self.host}:{self.port}"


def write_options(folder: Path, login: Login) -> Path:
    """Write the file with the options, and beside it the one with the host keys.

    :param folder: private to this account.
    """
    known_hosts = folder / "known_hosts"
    name = login.host if login.port == 22 else f"[{login.host}]:{login.port}"
    known_hosts.write_text("".join(f"{name} {key}\n" for key in login.host_keys), encoding="utf-8")
    options = {
        "HostName": _plain(login.host, login),
        "Port": str(login.port),
        "User": _plain(login.login, login),
        "IdentityFile": _quoted(login.key_file, login.place),
        "UserKnownHostsFile": _quoted(str(known_hosts), login.place),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "BatchMode": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "RequestTTY": "no",
        "Compression": "no",
        "Ciphers": "^aes128-gcm@openssh.com,aes256-gcm@openssh.com",  # processors have instructions for these
        "ControlPath": "none",
        "ConnectTimeout": str(_CONNECT_SECONDS),
        "ServerAliveInterval": str(_ALIVE_SECONDS),
        "ServerAliveCountMax": str(_ALIVE_COUNT),
        "LogLevel": "ERROR",
    }
    return _written(folder, options)


def write_shared_options(folder: Path, socket: Path) -> Path:
    """Write the file with the options that use a login which is there already, and never log in.

    :param folder: private to this account.
    :param socket: of the client that is logged in.
    """
    options = {
        "ControlMaster": "no",
        "ControlPath": _quoted(str(socket), "the folder for temporary files"),
        "ProxyCommand": "false",  # where the login is gone, so is the way
        "BatchMode": "yes",
        "RequestTTY": "no",
        "LogLevel": "ERROR",
    }
    return _written(folder, options)


def remote_shell(options: Path) -> str:
    """Return the command for rsync's ``--rsh``, which takes words in double quotes."""
    if '"' in str(options):
        raise _unwritable(str(options), "the folder for temporary files")
    return f'ssh -F "{options}"'


def _written(folder: Path, options: Mapping[str, str]) -> Path:
    path = folder / "options"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"Host {ALIAS}\n" + "".join(f"  {key} {value}\n" for key, value in options.items()))
    return path


def _plain(value: str, login: Login) -> str:
    """Refuse what ssh_config(5) would take for more than one word, or for another line."""
    if not value or not value.isprintable() or set(value) & set(" \"'\\%#="):
        raise _unwritable(value, login.place)
    return value


def _quoted(value: str, where: str) -> str:
    if not value.isprintable() or set(value) & set('"\\$'):
        raise _unwritable(value, where)
    return '"' + value.replace("%", "%%") + '"'


def _unwritable(value: str, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"cannot pass {value!r} to the OpenSSH client", where=where, fix="Use a name of plain letters there."
    )
