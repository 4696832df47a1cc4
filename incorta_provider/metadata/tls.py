"""TLS to a metadata database, as the connection's extra asks for it, in the form of Airflow's own MySQL hook.

The extra ``ssl`` holds paths at the worker (``ca``, ``cert``, ``key``), ``ssl_mode`` one of MySQL's names of how much
is checked. Client programs get none of this. The MariaDB client silently continues in plain text when the server offers
no TLS, unless it was told to verify the server's identity (tried with 10.11.19). So they are lent a session of ours
(:mod:`incorta_provider.metadata.relay`), and one place decides what is safe.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT, CR
from pymysql.cursors import Cursor

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError

if TYPE_CHECKING:
    _Connection = Connection[Cursor]
else:
    _Connection = Connection

_FILES = ("ca", "cert", "key")
_OFF = "DISABLED"


class Mode(StrEnum):
    """How much of the server is checked (MySQL manual, *--ssl-mode*)."""

    REQUIRED = "REQUIRED"
    VERIFY_CA = "VERIFY_CA"
    VERIFY_IDENTITY = "VERIFY_IDENTITY"


@dataclass(frozen=True, slots=True)
class Tls:
    """What a session asks of the server, and shows it.

    :ivar ca: path of the CA's certificate; empty for those that the worker's system trusts.
    :ivar cert: path of our own certificate, and ``key`` of its private key; empty when the account asks for none.
    """

    mode: Mode
    ca: str = ""
    cert: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """Return what the driver makes a session with.

        :raises ConfigurationError: a file cannot be read, or is not a certificate or key.
        """
        context = _trusting(self.ca)
        context.check_hostname = self.mode is Mode.VERIFY_IDENTITY
        context.verify_mode = ssl.CERT_NONE if self.mode is Mode.REQUIRED else ssl.CERT_REQUIRED
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the certificates that MySQL makes for itself lack fields
        if self.cert:
            try:
                context.load_cert_chain(self.cert, self.key or None, password="")
            except (OSError, ssl.SSLError) as error:
                raise _unusable(f"{self.cert} with its key {self.key or 'in the same file'}", error) from None
        return context


def tls_of(info: ConnectionInfo) -> Tls | None:
    """Return what a connection's extra asks for; None for plain text.

    Without ``ssl_mode`` everything that can be checked is: the server's identity when there is a CA to check it by.

    :raises ConfigurationError: it asks for something that is not known here, or that says nothing for sure.
    """
    files = _files(info)
    default = "" if not files else Mode.VERIFY_IDENTITY if files.get("ca") else Mode.REQUIRED
    asked = str(info.extra.get("ssl_mode") or default).upper()
    if asked in ("", _OFF):
        return None
    if asked not in list(Mode):
        raise _wrong(info, f"ssl_mode is {asked[:20]!r}, and {_OFF}, {', '.join(Mode)} are the ones that hold for sure")
    if files.get("key") and not files.get("cert"):
        raise _wrong(info, "ssl names a key and no cert")
    return Tls(Mode(asked), **files)


class TlsConnection(_Connection):
    """A session that is never in plain text: the driver would fall back to that when the server offers no TLS."""

    def _get_server_information(self) -> None:
        super()._get_server_information()  # type: ignore[misc]
        if not self.server_capabilities & CLIENT.SSL:  # type: ignore[attr-defined]
            raise pymysql.err.OperationalError(CR.CR_SSL_CONNECTION_ERROR, "the server offers no TLS")


def _files(info: ConnectionInfo) -> dict[str, str]:
    asked = info.extra.get("ssl") or {}
    if isinstance(asked, str):  # an Airflow connection that was written as a URL
        try:
            asked = json.loads(asked)
        except ValueError:
            asked = None
    if not isinstance(asked, Mapping):
        raise _wrong(info, "ssl is not a JSON object")
    unknown = [str(name) for name in asked if name not in _FILES]
    if unknown:
        raise _wrong(info, f"ssl has {', '.join(unknown)}, and only {', '.join(_FILES)} are known")
    return {name: str(Path(str(path)).expanduser()) for name, path in asked.items() if path}


def _trusting(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(ca, error) from None


def _unusable(files: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"TLS cannot use {files}: {error.strerror if isinstance(error, OSError) and error.strerror else error}",
        where="Airflow worker",
        fix="Correct ssl in the connection's extra field; the files must be readable at every worker.",
    )


def _wrong(info: ConnectionInfo, what: str) -> ConfigurationError:
    return ConfigurationError(
        what, where=f"connection {info.conn_id}", fix="Correct its extra field; docs/connections.md has the names."
    )
