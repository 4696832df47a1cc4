from __future__ import annotations

import socket

import paramiko
import pytest
from paramiko.ssh_exception import IncompatiblePeer, NoValidConnectionsError

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.ssh.ssh_errors import command_error, connect_error

PLACE = "incorta@incorta-1:22"

CASES = [
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), ConfigurationError, "name is not known: Name or"),
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), TransientError, "cannot be reached: Temporary failure"),
    (UnicodeError("label empty or too long"), ConfigurationError, "not a host name"),
    (TimeoutError("timed out"), TransientError, "does not answer in time"),
    (ConnectionRefusedError(111, "Connection refused"), TransientError, "cannot be reached: Connection refused"),
    (OSError(113, "No route to host"), TransientError, "cannot be reached: No route to host"),
    (
        NoValidConnectionsError({("10.0.0.1", 22): ConnectionRefusedError()}),
        TransientError,
        "Unable to connect to port 22",
    ),
    (IncompatiblePeer("no acceptable ciphers"), ConfigurationError, "no common algorithm: no acceptable ciphers"),
    (paramiko.AuthenticationException("Authentication failed."), ConfigurationError, "refuses the login"),
    (paramiko.BadAuthenticationType("Bad", ["publickey"]), ConfigurationError, "allowed types: ['publickey']"),
    (paramiko.SSHException("Error reading SSH protocol banner"), TransientError, "SSH failed: Error reading"),
    (EOFError(), TransientError, "SSH failed: EOFError"),
]


@pytest.mark.parametrize(("error", "kind", "words"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_each_fault_has_its_own_words_and_is_waited_for_only_when_it_may_pass(error, kind, words):
    found = connect_error(error, PLACE)
    assert type(found) is kind
    assert words in found.what
    assert found.where == PLACE
    assert found.fix


def test_no_two_faults_are_told_alike():
    told = {connect_error(error, PLACE).what for error, _, _ in CASES}
    assert len(told) == len(CASES)


def test_a_changed_host_key_shows_both_fingerprints():
    shown, pinned = paramiko.RSAKey.generate(1024), paramiko.RSAKey.generate(1024)
    found = connect_error(paramiko.BadHostKeyException("incorta-1", shown, pinned), PLACE)
    assert isinstance(found, ConfigurationError)
    assert found.what == (
        f"the host key CHANGED: it shows ssh-rsa {shown.fingerprint}, pinned is ssh-rsa {pinned.fingerprint}"
    )


def test_a_connection_that_was_lost_under_a_command():
    assert command_error(EOFError(), "running true", PLACE).what == (
        "the connection was lost while running true: EOFError"
    )


def test_a_command_that_the_node_let_not_begin_was_not_lost():
    found = command_error(paramiko.ChannelException(2, "Connect failed"), "running true", PLACE)
    assert found.what == "the node's sshd refuses a session for running true: Connect failed"
    assert found.fix.startswith("Nothing was started.")
