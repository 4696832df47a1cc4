"""From a connection that failed to the error family: what may pass by itself, and what a person must set right.

Only these are a person's: a name that does not exist, a certificate that one side does not accept, a server that speaks
no TLS or no HTTP, a proxy that lets nobody through. A name server that is busy, a TLS connection that breaks off and a
server that says nothing may be over a moment later.
"""

from __future__ import annotations

import socket
import ssl

from incorta_provider.exceptions import ConfigurationError, DrError, TransientError

_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"})
"""OpenSSL's words for a server that speaks something else than TLS, or none of our versions of it."""


class SilentError(ConnectionError):
    """The server neither took nor gave a byte for as long as the connection waits."""


class ProxyRefusalError(OSError):
    """The proxy does not let this worker through."""


def is_refused_by_tls(error: Exception) -> bool:
    """Tell whether one side will never accept the other: a certificate, or no TLS at all."""
    if not isinstance(error, ssl.SSLError):
        return False
    reason = getattr(error, "reason", None) or ""
    is_certificate = "CERTIFICATE" in reason or "UNKNOWN_CA" in reason
    return isinstance(error, ssl.SSLCertVerificationError) or is_certificate or reason in _NO_TLS


def unreachable(error: Exception, host: str, where: str) -> DrError:
    """Return what to raise for a request that got no answer, or none that can be read.

    :param where: the bucket's address.
    """
    if isinstance(error, ProxyRefusalError):
        fix = "Correct the proxy of the connection, with user and password if it asks for them, or of the worker."
        return ConfigurationError(f"cannot talk to {host}: {error}", where=where, fix=fix)
    if isinstance(error, ValueError) or is_refused_by_tls(error) or _is_no_name(error):
        fix = "Correct endpoint_url, verify or the client's certificate in the extra field of the connection."
        return ConfigurationError(f"cannot talk to {host}: {error}", where=where, fix=fix)
    return TransientError(
        f"no answer from {host}: {error}",
        where=where,
        fix="Check that the server runs and that endpoint_url of the connection is its address, then retry.",
    )


def _is_no_name(error: Exception) -> bool:
    return isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME
