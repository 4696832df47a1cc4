"""Commands over a real sshd: what logs in, what is refused and why, and what a command's end looks like."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress

import paramiko
import pytest
from paramiko.common import cMSG_CHANNEL_EOF

from incorta_provider.exceptions import ConfigurationError, PreconditionError, TransientError
from incorta_provider.ssh.shell import Completed, NodeShell
from lab.processes import find, send
from lab.servers.sshd import HARDENED
from lab.supervisor import Supervisor

pytestmark = pytest.mark.lab


def run(info, *argv, **options):
    with NodeShell(info) as shell:
        return shell.run(argv, **options)


def refused(info, error=ConfigurationError, timeout=60):
    with pytest.raises(error) as caught, NodeShell(info, timeout=timeout):
        pytest.fail("logged in")
    return caught.value


def make_key(path, *options):
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path), *options]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path


def public(path):
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


# Logging in


def test_a_pinned_node_is_logged_in_to(node):
    assert run(node(), "echo", "hello") == Completed(0, "hello\n", "")


def test_a_key_pinned_in_the_connection_is_enough(node, sshd):
    info = node(extra={"known_hosts_file": None, "host_key": f"{sshd.host_key} comment"})
    assert run(info, "true") == Completed(0, "", "")


def test_a_hashed_name_in_the_known_hosts_file_is_found(node, sshd, tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(f"[{sshd.host}]:{sshd.port} {sshd.host_key}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert str(sshd.port) not in file.read_text()
    assert run(node(extra={"known_hosts_file": str(file)}), "true").status == 0


def test_an_unknown_host_key_is_refused_and_shown(node, sshd, tmp_path):
    (tmp_path / "known_hosts").write_text("")
    fingerprint = subprocess.run(
        ["ssh-keygen", "-l", "-f", "-"], input=sshd.host_key, text=True, capture_output=True, check=True
    ).stdout.split()[1]
    error = refused(node(extra={"known_hosts_file": str(tmp_path / "known_hosts")}))
    assert error.what == (f"the host key of [127.0.0.1]:{sshd.port} is not known: it shows ssh-ed25519 {fingerprint}")
    assert (tmp_path / "known_hosts").read_text() == ""


def test_the_key_of_another_port_is_unknown_here(node, sshd, tmp_path):
    (tmp_path / "known_hosts").write_text(f"{sshd.host} {sshd.host_key}\n")
    assert "is not known" in refused(node(extra={"known_hosts_file": str(tmp_path / "known_hosts")})).what


@pytest.mark.parametrize("pin", ["file", "connection"])
def test_a_changed_host_key_is_refused(node, sshd, tmp_path, pin):
    other = public(make_key(tmp_path / "other"))
    (tmp_path / "known_hosts").write_text(f"[{sshd.host}]:{sshd.port} {other}\n")
    pinned = {"file": {"known_hosts_file": str(tmp_path / "known_hosts")}, "connection": {"host_key": other}}[pin]
    error = refused(node(extra=pinned))
    assert error.what.startswith("the host key CHANGED: it shows ssh-ed25519 SHA256:")
    assert "Do not continue" in error.fix


def test_a_revoked_host_key_is_not_trusted(node, sshd, tmp_path):
    name = f"[{sshd.host}]:{sshd.port}"
    (tmp_path / "known_hosts").write_text(f"{name} {sshd.host_key}\n@revoked * {sshd.host_key}\n")
    assert "is not known" in refused(node(extra={"known_hosts_file": str(tmp_path / "known_hosts")})).what


def test_what_is_no_key_in_the_known_hosts_file_is_passed_over(node, sshd, tmp_path):
    name = f"[{sshd.host}]:{sshd.port}"
    (tmp_path / "known_hosts").write_text(
        f"# comment\n\nnonsense\n@cert-authority * {sshd.host_key}\n"
        f"{name} ssh-ed25519 !!!\n{name}\t{sshd.host_key} me\n"
    )
    assert run(node(extra={"known_hosts_file": str(tmp_path / "known_hosts")}), "true").status == 0


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        ({"known_hosts_file": None}, "no host key is pinned"),
        ({"known_hosts_file": "/nowhere/known_hosts"}, "cannot read the known hosts file /nowhere/known_hosts"),
        ({"host_key": "ssh-ed25519"}, "host_key is not a public key"),
        ({"host_key": "ssh-ed25519 AAAA"}, "host_key is not a public key"),
        ({"host_key": "ssh-ed25519 #"}, "host_key is not a public key"),
        ({"host_key": "ssh-dss AAAAB3NzaC1kc3M="}, "host_key is not a public key"),
    ],
)
def test_a_pin_that_cannot_be_used_is_named(node, extra, what):
    error = refused(node(extra=extra))
    assert error.what.startswith(what)
    assert error.where == "connection berlin_node1"


def test_a_key_that_the_node_does_not_list_is_refused(node, tmp_path):
    error = refused(node(extra={"key_file": str(make_key(tmp_path / "stranger"))}))
    assert error.what.startswith("the node refuses the login")
    assert "authorized_keys" in error.fix


def test_a_password_where_only_keys_are_allowed_is_refused_without_showing_it(node, caplog):
    caplog.set_level("DEBUG")
    error = refused(node(password="Tr0ub4dor&3", extra={"key_file": None}))
    assert error.what.startswith("the node refuses the login")
    assert "Tr0ub4dor&3" not in f"{error}{error!r}{error.__cause__!r}{caplog.text}"


def test_neither_key_nor_password_is_no_login(node):
    assert refused(node(extra={"key_file": None})).what == "connection has no password"


@pytest.mark.parametrize("name", ["absent", "empty", "public", "folder"])
def test_a_private_key_that_cannot_be_used_is_named(node, sshd, tmp_path, name):
    (tmp_path / "empty").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "public").write_text(sshd.key_file.with_suffix(".pub").read_text())
    error = refused(node(extra={"key_file": str(tmp_path / name)}))
    assert error.what.startswith(f"cannot use the private key {tmp_path / name}: ")


@pytest.mark.parametrize(("password", "works"), [("pass phrase", True), ("", False), ("wrong", False)])
def test_a_passphrase_goes_into_the_password(node, sshd, tmp_path, password, works):
    key = tmp_path / "protected"
    key.write_bytes(sshd.key_file.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "pass phrase", "-P", "", "-f", str(key)], check=True)
    info = node(password=password, extra={"key_file": str(key)})
    if works:
        assert run(info, "true").status == 0
    else:
        assert refused(info).what.startswith("cannot use the private key")


# Not getting through


def test_nobody_at_the_port(node):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert refused(node(port=port), TransientError).what == "the node cannot be reached: Connection refused"


def test_a_name_that_is_not_known(node):
    assert refused(node(host="nowhere.invalid"), (ConfigurationError, TransientError)).what.startswith(
        ("the host's name is not known", "the node cannot be reached")
    )


@contextmanager
def serving(answer):
    def talk():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer)
            ended.wait(60)

    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        ended.set()
        thread.join()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-silent\r\n"])
def test_something_that_is_no_sshd_is_told_in_time(node, answer):
    started = time.monotonic()
    with serving(answer) as port:
        assert "SSH failed" in refused(node(port=port), TransientError, timeout=1).what
    assert time.monotonic() - started < 30


def test_a_node_that_hangs_is_told_in_time(node, sshd, lab_layout):
    record = Supervisor(lab_layout).get(sshd.name)
    assert record is not None
    send(record.process, signal.SIGSTOP)
    started = time.monotonic()
    try:
        refused(node(), TransientError, timeout=1)
    finally:
        send(record.process, signal.SIGCONT)
    assert time.monotonic() - started < 30


def answers(port):
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    return False


@contextmanager
def other_sshd(sshd, option):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = [f"Port={port}", "PidFile=none", option]
    argv = [*sshd.command(), *(word for option in options for word in ("-o", option))]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def test_a_node_without_a_common_algorithm(node, sshd):
    with other_sshd(sshd, "KexAlgorithms=diffie-hellman-group14-sha1") as port:
        error = refused(node(port=port, extra={"host_key": sshd.host_key}))
    assert error.what == "no common algorithm: Incompatible ssh peer (no acceptable kex algorithm)"


# Commands


@pytest.mark.parametrize("status", [0, 1, 2, 126, 127, 255])
def test_the_exit_status_is_the_commands_own(node, status):
    assert run(node(), "sh", "-c", f"echo out; echo err >&2; exit {status}") == Completed(status, "out\n", "err\n")


def test_words_reach_the_command_as_they_are(node):
    words = ["", " ", "a b", "$HOME", "`id`", "$(id)", "'", '"', "\\", "\n", "*", "~", "ä€😀", "-n", ";", "&", "#", "!"]
    assert run(node(), "printf", "%s\\0", *words).stdout.split("\0")[:-1] == words


def test_output_that_is_no_utf8_is_no_error(node):
    assert run(node(), "printf", "\\377a").stdout == "\ufffda"


def test_much_output_on_both_streams_blocks_nothing(node):
    done = run(node(), "sh", "-c", "head -c 1500000 /dev/zero | tr '\\0' o; head -c 1500000 /dev/zero | tr '\\0' e >&2")
    assert (done.stdout, done.stderr) == ("o" * 1_500_000, "e" * 1_500_000)


def test_a_flood_is_refused(node):
    with pytest.raises(PreconditionError, match="printed more than"):
        run(node(), "yes")


def test_a_command_gets_no_input(node):
    assert run(node(), "cat") == Completed(0, "", "")


def test_a_command_that_leaves_a_service_behind_has_ended(node):
    done = run(node(), "sh", "-c", "sleep 60 & echo $!; echo started")
    os.kill(int(done.stdout.split()[0]), signal.SIGKILL)  # it runs: nobody waited for its end
    assert done.status == 0
    assert done.stdout.split()[1] == "started"


def test_a_command_that_takes_too_long(node):
    started = time.monotonic()
    with pytest.raises(TransientError, match="still running: sleep 60"):
        run(node(), "sleep", "60", timeout=0.5)
    assert time.monotonic() - started < 30


def test_a_command_that_keeps_talking_has_no_more_time(node):
    started = time.monotonic()
    with pytest.raises(TransientError, match="still running"):
        run(node(), "sh", "-c", "while echo word; do sleep 0.05; done", timeout=1)
    assert time.monotonic() - started < 30


def test_a_command_that_a_signal_ended(node):
    with pytest.raises(TransientError, match="a signal ended"):
        run(node(), "sh", "-c", "kill -9 $$")


def test_a_connection_that_drops_under_a_command(node):
    with pytest.raises(TransientError, match="the connection was lost while running") as caught:
        run(node(), "sh", "-c", "kill -9 $PPID; sleep 10")
    assert "not known whether" in caught.value.fix


def test_a_shell_that_was_closed_runs_nothing(node):
    shell = NodeShell(node())
    with pytest.raises(TransientError, match="not connected"):
        shell.run(["true"])
    with shell:
        assert shell.run(["true"]).status == 0
    with pytest.raises(TransientError, match="not connected"):
        shell.run(["true"])


def test_several_commands_share_one_login(node):
    with NodeShell(node()) as shell:
        parents = {shell.run(["sh", "-c", "echo $PPID"]).stdout for _ in range(3)}
        assert len(parents) == 1
    wait_until_gone(int(parents.pop()))


def wait_until_gone(pid):
    deadline = time.monotonic() + 60
    while find(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_login_that_was_dropped_between_two_commands_is_renewed_once(node):
    """Several threads find it gone at the same time."""
    with NodeShell(node()) as shell:
        before = parent_of(shell)
        os.kill(before, signal.SIGKILL)
        wait_until_gone(before)
        with ThreadPoolExecutor(4) as pool:
            after = set(pool.map(lambda _: parent_of(shell), range(4)))
        assert len(after) == 1
        assert before not in after
    wait_until_gone(after.pop())


MEETING = """
touch "$0/$1"
for _ in $(seq 600); do
    [ -e "$0/0" ] && [ -e "$0/1" ] && [ -e "$0/2" ] && [ -e "$0/3" ] && exec echo $PPID
    sleep 0.1
done
"""
"""Tells its login as soon as all four of it run at the same time."""


def test_a_command_too_many_for_one_login_gets_a_login_of_its_own(node, sshd_nodes, tmp_path):
    hardened = sshd_nodes[HARDENED]
    with NodeShell(node(host=hardened.host, port=hardened.port)) as shell:
        shared = parent_of(shell)
        with ThreadPoolExecutor(4) as pool:
            done = pool.map(lambda number: shell.run(["sh", "-c", MEETING, str(tmp_path), str(number)]), range(4))
            logins = [int(each.stdout) for each in done]
        assert (logins.count(shared), len(set(logins))) == (2, 3)
        for own in set(logins) - {shared}:
            wait_until_gone(own)
        assert parent_of(shell) == shared


def test_a_signal_that_ends_a_command_on_a_login_of_its_own_is_told_as_one(node, sshd):
    with (
        other_sshd(sshd, "MaxSessions=1") as port,
        NodeShell(node(port=port, extra={"host_key": sshd.host_key})) as shell,
        closing(shell.start(["cat"])),
        pytest.raises(TransientError, match="a signal ended"),
    ):
        shell.run(["sh", "-c", "kill -9 $$"])


def test_what_is_talked_to_gets_a_login_of_its_own_too_and_keeps_it(node, sshd):
    with (
        other_sshd(sshd, "MaxSessions=1") as port,
        NodeShell(node(port=port, extra={"host_key": sshd.host_key})) as shell,
    ):
        channels = [shell.start(["cat"]) for _ in range(2)]
        for channel in channels:
            channel.sendall(b"hello")
            assert channel.recv(5) == b"hello"


def test_a_node_that_refuses_every_session_has_started_nothing(node, sshd):
    with (
        other_sshd(sshd, "MaxSessions=0") as port,
        NodeShell(node(port=port, extra={"host_key": sshd.host_key})) as shell,
        pytest.raises(TransientError, match="the node's sshd refuses a session for running true") as caught,
    ):
        shell.run(["true"])
    assert caught.value.fix.startswith("Nothing was started.")


def test_a_command_that_ends_before_its_client_is_done_starting_it_costs_nobody_the_login(node, monkeypatch):
    """What is sent for a channel that sshd has closed ends the whole login (OpenSSH, channel_from_packet_id)."""
    send_message = paramiko.Transport._send_user_message

    def late(transport, message):
        if message.asbytes()[:1] == cMSG_CHANNEL_EOF and threading.current_thread() is not transport:
            time.sleep(0.5)
        send_message(transport, message)

    monkeypatch.setattr(paramiko.Transport, "_send_user_message", late)
    with NodeShell(node()) as shell, ThreadPoolExecutor(1) as pool:
        longer = pool.submit(shell.run, ["sh", "-c", "sleep 2; echo whole"])
        assert shell.run(["true"]) == Completed(0, "", "")
        assert longer.result() == Completed(0, "whole\n", "")


def test_a_command_that_reads_finds_its_input_at_its_end(node):
    assert run(node(), "sh", "-c", "cat; echo read") == Completed(0, "read\n", "")


def parent_of(shell):
    return int(shell.run(["sh", "-c", "echo $PPID"]).stdout)
