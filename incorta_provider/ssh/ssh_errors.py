"""What went wrong between the worker and a node, in words that a person can act upon.

Transient is what may pass by itself: a node that is down, or busy, or slow. What a person must correct first is a
configuration error: a host key, a credential, a name, algorithms that the two do not share.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.late import late

if TYPE_CHECKING:
    import paramiko
else:
    paramiko = late("paramiko")

_CORRECT_HOST = "Correct the host in the connection."
_LOOK_AT_NODE = "Is the node up, and does its firewall let the worker in?"


def connect_error(error: Exception, place: str) -> DrError:
    """Return the error for a connection that did not come about.

    :param place: account, host and port.
    """
    if isinstance(error, OSError):
        return _network_error(error, place)
    if isinstance(error, UnicodeError):
        return ConfigurationError("the host field is not a host name", where=place, fix=_CORRECT_HOST)
    if isinstance(error, paramiko.BadHostKeyException):
        return ConfigurationError(
            f"the host key CHANGED: it shows {_fingerprint(error.key)}, pinned is {_fingerprint(error.expected_key)}",
            where=place,
            fix="Do not continue before you know why: the node was reinstalled, or somebody intercepts the connection.",
        )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return ConfigurationError(
            f"no common algorithm: {error}",
            where=place,
            fix="The node's sshd is too old for SHA-2; update it, or allow rsa-sha2, ed25519 and curve25519 there.",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return ConfigurationError(
            f"the node refuses the login: {error}",
            where=place,
            fix="Correct login, key file or password in the connection; the node's authorized_keys must hold the key.",
        )
    return TransientError(
        f"SSH failed: {_in_words(error)}", where=place, fix="Check that this is the port of a running sshd."
    )


def command_error(error: Exception, what: str, place: str) -> TransientError:
    """Return the error for a connection that was lost under a command, or for a command that the node let not begin."""
    if isinstance(error, paramiko.ChannelException):
        return TransientError(
            f"the node's sshd refuses a session for {what}: {error.text}",
            where=place,
            fix="Nothing was started. MaxSessions in its sshd_config must be 1 or more; its log has other reasons.",
        )
    return TransientError(
        f"the connection was lost while {what}: {_in_words(error)}",
        where=place,
        fix="It is not known whether the command ended; trying again is safe.",
    )


def _network_error(error: OSError, place: str) -> DrError:
    if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
        return ConfigurationError(f"the host's name is not known: {error.strerror}", where=place, fix=_CORRECT_HOST)
    if isinstance(error, TimeoutError):
        return TransientError("the node does not answer in time", where=place, fix=_LOOK_AT_NODE)
    return TransientError(f"the node cannot be reached: {error.strerror or error}", where=place, fix=_LOOK_AT_NODE)


def _fingerprint(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__
