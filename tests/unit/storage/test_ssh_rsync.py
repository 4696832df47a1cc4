"""What the ends of an rsync mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, DrError, PreconditionError, TransientError
from incorta_provider.ssh.openssh import Login, remote_shell, write_options
from incorta_provider.storage.ssh.rsync import Ended, ensure_ended_well, fault


@pytest.mark.parametrize("status", [0, 23, 24])
def test_success_is_a_closed_list(status: int) -> None:
    ensure_ended_well(Ended(status, ""), "node")


@pytest.mark.parametrize("status", [3, 5, 6, 10, 11, 12, 13, 14, 20, 21, 22, 25, 30, 35, 99, 255, -9])
def test_everything_else_is_none(status: int) -> None:
    with pytest.raises(TransientError, match=f"status {status}: no message"):
        ensure_ended_well(Ended(status, ""), "node")


@pytest.mark.parametrize(
    ("status", "complaint", "kind", "what"),
    [
        (11, 'rsync: write failed on "x": No space left on device (28)', PreconditionError, "no room left"),
        (23, 'rsync: mkstemp "x" failed: Disk quota exceeded (122)', PreconditionError, "no room left"),
        (11, 'rsync: [Receiver] mkdir "x" failed: Permission denied (13)', ConfigurationError, "cannot write"),
        (23, 'rsync: mkstemp "x" failed: Read-only file system (30)', ConfigurationError, "cannot write"),
        (127, "bash: line 1: rsync: command not found", ConfigurationError, "there is no rsync"),
        (12, "sh: 1: rsync: not found", ConfigurationError, "there is no rsync"),
        (127, "sh: 1: /opt/python3: not found", ConfigurationError, "a program is missing"),
        (2, "python3: can't open file '/home/x/.cache/incorta-dr/ab.pyz': [Errno 2]", TransientError, "file is gone"),
        (1, "rsync: --info=progress2: unknown option", ConfigurationError, "refuses its options"),
        (2, "protocol version mismatch -- is your shell clean?", ConfigurationError, "login shell prints something"),
        (2, "rsync: server sent other words", ConfigurationError, "refuses its protocol"),
        (12, "incorta-dr: the vault cannot be written: Read-only file system (30)", ConfigurationError, "cannot write"),
        (127, "incorta-dr: rsync: No such file or directory", ConfigurationError, "there is no rsync"),
        (255, "Host key verification failed.", ConfigurationError, "host key is not the pinned one"),
        (
            255,
            "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@ Host key verification failed.",
            ConfigurationError,
            "the host key CHANGED",
        ),
        (255, "incorta@node: Permission denied (publickey).", ConfigurationError, "refuses the login"),
        (255, "Permissions 0644: WARNING: UNPROTECTED PRIVATE KEY FILE!", ConfigurationError, "others can read"),
        (255, "ssh: connect to host node port 22: Connection refused", TransientError, "status 255"),
        (255, "Connection timed out during banner exchange", TransientError, "status 255"),
        (30, "[sender] io timeout after 60 seconds -- exiting", TransientError, "status 30"),
    ],
)
def test_what_went_wrong_is_told_apart(status: int, complaint: str, kind: type[DrError], what: str) -> None:
    error = fault(Ended(status, complaint), "node")
    assert type(error) is kind
    assert what in error.what
    assert complaint[-100:] in error.what
    assert error.where == "node"
    assert error.fix


def login(**changes: str) -> Login:
    fields = {"host": "node.example", "login": "incorta", "key_file": "/keys/id"}
    return Login(port=2222, host_keys=("ssh-ed25519 AAAA",), **{**fields, **changes})


def test_the_client_is_told_to_ask_and_to_learn_nothing(tmp_path: Path) -> None:
    options = write_options(tmp_path, login()).read_text()
    for line in (
        "HostName node.example",
        "Port 2222",
        "User incorta",
        'IdentityFile "/keys/id"',
        f'UserKnownHostsFile "{tmp_path}/known_hosts"',
        "StrictHostKeyChecking yes",
        "BatchMode yes",
        "IdentitiesOnly yes",
        "ForwardAgent no",
    ):
        assert f"  {line}\n" in options
    assert (tmp_path / "known_hosts").read_text() == "[node.example]:2222 ssh-ed25519 AAAA\n"
    assert (tmp_path / "options").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "node\nProxyCommand touch /tmp/x"},
        {"host": 'node" "x'},
        {"host": ""},
        {"host": "%h"},
        {"login": "me\nx"},
        {"login": "me you"},
        {"key_file": '/keys/"id'},
        {"key_file": "/keys/i\nd"},
        {"key_file": "/keys/${HOME}"},
    ],
)
def test_no_field_of_a_connection_becomes_an_option(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="cannot pass"):
        write_options(tmp_path, login(**changes))


def test_the_remote_shell_is_words_for_rsync(tmp_path: Path) -> None:
    assert remote_shell(Path("/tmp/with space/options")) == 'ssh -F "/tmp/with space/options"'
    with pytest.raises(ConfigurationError):
        remote_shell(Path('/tmp/"/options'))
