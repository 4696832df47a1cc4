"""What rsync needs here to log in at a node: options, the pinned host keys and the key, in a private folder."""

from __future__ import annotations

from pathlib import Path

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.ssh.host_keys import pinned_keys
from incorta_provider.ssh.openssh import Login, write_options
from incorta_provider.ssh.private_key import key_file


def write_client_options(info: ConnectionInfo, folder: Path) -> Path:
    """Write the options for the OpenSSH client at this worker.

    :param folder: private; it must stay until rsync has ended.
    :raises ConfigurationError: the connection has no key, or pins no host key.
    """
    return write_options(folder, login_at(info, str(key_file(info, folder))))


def login_at(info: ConnectionInfo, key: str) -> Login:
    """Return how to log in at the node of a connection with a key.

    :param key: path of the key's file, where the client runs.
    """
    info.require("host", "login")
    port = info.port or 22
    name = info.host if port == 22 else f"[{info.host}]:{port}"
    pinned = pinned_keys(info, name).lookup(name)
    if not pinned:
        raise ConfigurationError(
            f"the host key of {name} is not pinned",
            where=f"connection {info.conn_id}",
            fix="Set known_hosts_file or host_key in its extra field.",
        )
    keys = tuple(f"{key.get_name()} {key.get_base64()}" for key in pinned.values())
    return Login(info.host, port, info.login, key, keys)
