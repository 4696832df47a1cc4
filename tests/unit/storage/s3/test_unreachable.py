"""Which failed connections may pass by themselves."""

from __future__ import annotations

import socket
import ssl

import pytest

from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.storage.s3.unreachable import ProxyRefusalError, SilentError, unreachable


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:992)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), TransientError),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), ConfigurationError),
        (socket.gaierror(socket.EAI_SYSTEM, "System error"), TransientError),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), TransientError),
        (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed"), TransientError),
        (tls("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), TransientError),
        (tls("TLSV1_ALERT_INTERNAL_ERROR"), TransientError),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), ConfigurationError),
        (tls("TLSV1_ALERT_UNKNOWN_CA"), ConfigurationError),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), ConfigurationError),
        (tls("WRONG_VERSION_NUMBER"), ConfigurationError),
        (ProxyRefusalError("the proxy refused the connection with status 407"), ConfigurationError),
        (ValueError("the answer is not HTTP"), ConfigurationError),
        (SilentError("the server fell silent"), TransientError),
        (TimeoutError("timed out"), TransientError),
        (ConnectionRefusedError(111, "Connection refused"), TransientError),
        (OSError(113, "No route to host"), TransientError),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception, kind: type[DrError]) -> None:
    told = unreachable(error, "s3.example.com", "s3://dr@b")
    assert type(told) is kind
    assert "s3.example.com" in told.what
    assert told.where == "s3://dr@b"
    assert told.fix
