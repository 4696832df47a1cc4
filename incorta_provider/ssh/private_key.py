"""The private key of a connection: a file that its extra ``key_file`` names, or the text in its extra ``private_key``.

A passphrase stands in the connection's password. The OpenSSH client asks people for passphrases and takes keys from
files only. So a key that is not yet a plain file is written to one, in a private folder, for as long as it is needed.

:raises ConfigurationError: the key cannot be read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.late import late
from incorta_provider.ssh.private_folder import private_folder

if TYPE_CHECKING:
    import paramiko
else:
    paramiko = late("paramiko")


def private_key(info: ConnectionInfo) -> paramiko.PKey | None:
    """Return the key for paramiko; None when the connection has none, and logs in with a password."""
    file, text = info.extra.get("key_file"), info.extra.get("private_key")
    if file:
        return _loaded(info, Path(str(file)), str(file))
    if not text:
        return None
    with private_folder() as folder:
        return _loaded(info, _written(folder, _ended(str(text))), "in private_key")


def key_file(info: ConnectionInfo, folder: Path) -> Path:
    """Return a file with the key for the OpenSSH client.

    :param folder: private; a key that is not a plain file is written there.
    :raises ConfigurationError: also when there is no key: this client cannot be given a password.
    """
    file, text = info.extra.get("key_file"), info.extra.get("private_key")
    if file and not info.password:
        return Path(str(file)).absolute()
    if file or text:
        data = _read(info, Path(str(file))) if file else _ended(str(text))
        return _written(folder, _plain(info, data, str(file) if file else "in private_key"))
    raise ConfigurationError(
        "files cannot be copied with a password, only with a key",
        where=f"connection {info.conn_id}",
        fix="Set key_file or private_key in its extra field, and list the public key in authorized_keys at the node.",
    )


def _loaded(info: ConnectionInfo, path: Path, shown: str) -> paramiko.PKey:
    passphrase: Any = info.password.encode() if info.password else None  # bytes, whatever paramiko's types say
    try:
        return paramiko.PKey.from_path(path, passphrase)
    except (OSError, ValueError, TypeError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise _unusable(info, shown, error) from None


def _plain(info: ConnectionInfo, data: bytes, shown: str) -> bytes:
    """Return the key without its passphrase, as OpenSSH writes keys."""
    passphrase = info.password.encode() if info.password else None
    try:
        try:
            key = serialization.load_ssh_private_key(data, passphrase)
        except ValueError:
            key = serialization.load_pem_private_key(data, passphrase)  # type: ignore[assignment]
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    except (ValueError, TypeError) as error:
        raise _unusable(info, shown, error) from None


def _read(info: ConnectionInfo, path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise _unusable(info, str(path), error) from None


def _ended(text: str) -> bytes:
    """Return the text of a key as a file has it; a form field loses the last line's end."""
    return text.strip().encode() + b"\n"


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "key"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return path


def _unusable(info: ConnectionInfo, shown: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"cannot use the private key {shown}: {str(error) or type(error).__name__}",
        where=f"connection {info.conn_id}",
        fix="Correct key_file or private_key in its extra field; a passphrase goes into the password.",
    )
