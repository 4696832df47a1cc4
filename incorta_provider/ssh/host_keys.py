"""The host keys that a node's connection pins. A key that is not pinned is never trusted, and never learned.

:raises ConfigurationError: no key is pinned, what is pinned cannot be read, or the node shows another one.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.late import late

if TYPE_CHECKING:
    import paramiko
    from paramiko import MissingHostKeyPolicy
else:
    paramiko = late("paramiko")
    MissingHostKeyPolicy = object  # an interface without anything in it


class RefuseUnknown(MissingHostKeyPolicy):
    """Refuse a node of which no key is pinned, and say which key it shows."""

    def __init__(self, info: ConnectionInfo) -> None:
        self._info = info

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise, always."""
        raise ConfigurationError(
            f"the host key of {hostname} is not known: it shows {key.get_name()} {key.fingerprint}",
            where=f"connection {self._info.conn_id}",
            fix="Compare the fingerprint at the node itself, then pin the key in the known hosts file.",
        )


def pinned_keys(info: ConnectionInfo, name: str) -> paramiko.HostKeys:
    """Return the pinned keys, from the extra ``host_key``, or else from the file ``known_hosts_file``.

    :param name: what the node is called there: ``host``, or ``[host]:port`` with a port other than 22.
    """
    host_key, file = info.extra.get("host_key"), info.extra.get("known_hosts_file")
    if host_key:
        return _one_key(info, name, str(host_key))
    if file:
        return _keys_of_file(info, Path(str(file)))
    raise ConfigurationError(
        "no host key is pinned",
        where=f"connection {info.conn_id}",
        fix="Set known_hosts_file or host_key in its extra field.",
    )


def _keys_of_file(info: ConnectionInfo, path: Path) -> paramiko.HostKeys:
    """Read the file as sshd(8) describes it; a revoked key is not trusted for any host, a CA is not supported."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot read the known hosts file {path}: {error}",
            where=f"connection {info.conn_id}",
            fix="Correct known_hosts_file in its extra field; the file must be readable at the worker.",
        ) from None
    revoked = {entry.key for line in lines if line.startswith("@revoked ") and (entry := _entry(line[9:]))}
    keys = paramiko.HostKeys()
    for line in lines:
        entry = None if line.startswith(("#", "@")) else _entry(line)
        if entry is not None and entry.key not in revoked:
            for name in entry.hostnames:
                keys.add(name, entry.key.get_name(), entry.key)
    return keys


def _entry(line: str) -> paramiko.hostkeys.HostKeyEntry | None:
    try:
        return paramiko.hostkeys.HostKeyEntry.from_line(" ".join(line.split()))
    except (paramiko.SSHException, paramiko.hostkeys.InvalidHostKey):
        return None


def _one_key(info: ConnectionInfo, name: str, text: str) -> paramiko.HostKeys:
    kind, _, encoded = text.strip().partition(" ")
    try:
        key = paramiko.PKey.from_type_string(kind, base64.b64decode(encoded.split(" ")[0], validate=True))
    except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, binascii.Error, ValueError) as error:
        raise ConfigurationError(
            f"host_key is not a public key: {error}",
            where=f"connection {info.conn_id}",
            fix="Write type and base64 into it, as ssh-keyscan prints them after the host's name.",
        ) from None
    keys = paramiko.HostKeys()
    keys.add(name, key.get_name(), key)
    return keys
