"""What goes wrong between worker and node: each a member of the error family, with what to do."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import ConfigurationError, IntegrityError, TransientError
from incorta_provider.ssh.private_folder import PREFIX, private_folder
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh import batches, node_agent, pieces, routes, rsync
from incorta_provider.storage.ssh.carriers import PullHere
from incorta_provider.storage.ssh.rsync_commands import Handling
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.ssh.volume import RemoteReader, RemoteVolume
from tests.benchmarks.relay import Line, Relay
from tests.builders.ports import closed_port
from tests.builders.storage import folder_for_nobody, give_to_nobody, put

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def _rsync_is_at_work(monkeypatch):
    monkeypatch.setattr(batches, "PACKED_BYTES", 0)


@pytest.fixture
def root(tmp_path, source):
    put(tmp_path / "source", {"a": b"1", "folder/b": b"2"})
    return tmp_path / "source"


def files_of(root):
    return [entry for entry in LocalTree(root).list() if entry.kind is Kind.FILE]


def pull(source, target, workspace):
    return routes.node_to_folder(source, LocalTarget(Path("/nowhere"), target.catalog), workspace)


# The node itself


def test_python_that_is_too_old_is_named(root, primary, tmp_path):
    old = tmp_path / "python2.7"
    old.write_text(
        '#!/bin/sh\nexec python3 -c \'import sys; sys.version_info = (3, 9, 2); sys.version = "3.9.2 (main)"; '
        'script = sys.argv.pop(1); exec(script)\' "$5" "$6" "$7"\n'
    )
    old.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"Python 3\.9\.2 at the node is too old") as caught:
        SshTree(primary(extra={"python": str(old)}), bytes(root)).check()
    assert "3.11" in caught.value.fix


@pytest.mark.parametrize("python", ["/nowhere/python3", "python9"])
def test_python_that_is_not_there_is_named(root, primary, python):
    with pytest.raises(ConfigurationError, match=f"no Python 3 at the node under the name {python}"):
        SshTree(primary(extra={"python": python}), bytes(root)).check()


def test_an_exit_status_that_comes_late_is_waited_for(root, primary, tmp_path):
    slow = tmp_path / "python3"
    slow.write_text("#!/bin/sh\nexec >&- 2>&-\nsleep 0.5\nexit 127\n")
    slow.chmod(0o755)
    with pytest.raises(ConfigurationError, match=f"no Python 3 at the node under the name {slow}: exit status 127"):
        SshTree(primary(extra={"python": str(slow)}), bytes(root)).check()


def test_an_agent_that_was_changed_at_the_node_is_sent_anew(root, source):
    (hello,) = source.node.call("hello")
    source.node.close()
    program = Path(hello.head["program"])
    assert program.stat().st_mode & 0o777 == 0o600
    program.write_bytes(b"raise SystemExit('forged')")
    source.check()
    assert program.stat().st_size > 10_000


def test_a_login_script_that_talks_does_no_harm(root, primary, tmp_path):
    noisy = tmp_path / "python-noisy"
    noisy.write_text('#!/bin/sh\necho "Welcome to node 1"; echo; exec python3 "$@"\n')
    noisy.chmod(0o755)
    SshTree(primary(extra={"python": str(noisy)}), bytes(root)).check()


def test_a_node_without_rsync(root, primary, target, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "incorta_provider.storage.ssh.rsync_commands.FLAGS",
        (*rsync.FLAGS, "--rsync-path=/nowhere/rsync"),
    )
    with pytest.raises(ConfigurationError, match="there is no rsync") as caught:
        pull(SshTree(primary(), bytes(root)), target, workspace)(files_of(root))
    assert "Install rsync" in caught.value.fix


def test_a_worker_without_rsync(root, source, target, workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="there is no rsync"):
        pull(source, target, workspace)(files_of(root))


# Logging in


def test_a_password_cannot_copy_files(root, primary, target, workspace):
    tree = SshTree(primary(extra={"key_file": None}, password="Tr0ub4dor&3"), bytes(root))
    with pytest.raises(ConfigurationError, match="only with a key") as caught:
        PullHere(tree, workspace).bring([b"a"], Handling.CAREFUL)
    assert "Tr0ub4dor" not in str(caught.value)


def test_a_key_as_text_leaves_no_file(root, primary, target, workspace, sshd_nodes, tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    text = sshd_nodes["berlin_node1"].key_file.read_text().strip()
    tree = SshTree(primary(extra={"key_file": None, "private_key": text}), bytes(root))
    assert [entry.path for entry in pull(tree, target, workspace)(files_of(root))] == [b"a", b"folder/b"]
    assert not list((tmp_path / "tmp").glob(f"{PREFIX}*"))


def test_a_key_with_a_passphrase_copies_too(root, primary, target, workspace, sshd_nodes, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(sshd_nodes["berlin_node1"].key_file.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "pass phrase", "-P", "", "-f", str(key)], check=True)
    tree = SshTree(primary(extra={"key_file": str(key)}, password="pass phrase"), bytes(root))
    assert len(pull(tree, target, workspace)(files_of(root))) == 2


def test_what_a_killed_worker_left_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    (left / "lock").touch()
    (left / "key").touch()
    with private_folder() as one, private_folder() as other:
        assert not left.exists()
        assert one.exists()
        assert other.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_changed_host_key_stops_rsync_too(root, primary, source, target, workspace, tmp_path):
    source.check()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    tree = SshTree(primary(extra={"host_key": other}), bytes(root))
    with pytest.raises(ConfigurationError, match="host key CHANGED"):
        tree.check()
    carrier = PullHere(tree, workspace)
    _, ended = carrier.bring([b"a"], Handling.CAREFUL)
    with pytest.raises(ConfigurationError, match="host key"):
        rsync.ensure_ended_well(ended, carrier.place)


def test_a_dr_node_without_a_key_of_its_own_says_what_to_do(root, source, target, dr, workspace):
    volume = RemoteVolume(dr(extra={"pull_key_file": None}), target.volume.root, target.volume.vault)
    target.volume = volume
    with pytest.raises(ConfigurationError, match="no key to pull from") as caught:
        routes.node_to_node(source, target, workspace)
    assert "authorized_keys" in caught.value.fix


def test_a_dr_node_whose_key_the_source_does_not_list(root, source, target, dr, workspace, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "stranger")], check=True)
    info = dr(extra={"pull_key_file": str(tmp_path / "stranger")})
    target.volume = RemoteVolume(info, target.volume.root, target.volume.vault)
    with pytest.raises(ConfigurationError, match="refuses the login") as caught:
        routes.node_to_node(source, target, workspace)(files_of(root))
    assert "ssh://berlin_node1" in caught.value.where


# Not getting through


def test_nobody_at_the_port(root, primary):
    with closed_port() as port, pytest.raises(TransientError, match="cannot be reached"):
        SshTree(primary(port=port), bytes(root)).check()


def test_a_port_that_accepts_and_closes(root, primary):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: [listener.accept()[0].close() for _ in range(3)], daemon=True).start()
        with pytest.raises(TransientError):
            SshTree(primary(port=listener.getsockname()[1]), bytes(root)).check()


def test_a_node_that_stops_answering_is_given_up(root, primary, monkeypatch):
    monkeypatch.setattr(node_agent, "SILENCE_SECONDS", 5.0)  # for what does answer, on a busy machine
    port = primary().port
    with Relay(port) as relay:
        tree = SshTree(primary(port=relay.port), bytes(root))
        tree.check()
        relay.stop()
        with pytest.raises(TransientError, match=r"stopped answering|SSH failed"):
            tree.check()
        relay.go_on()
        tree.check()


def test_a_late_answer_is_waited_for(root, primary):
    with Relay(primary().port, Line(delay=0.3)) as relay:
        assert len(list(SshTree(primary(port=relay.port), bytes(root)).list())) == 3


def test_a_connection_cut_in_the_middle_of_a_listing(tmp_path, primary):
    root = tmp_path / "many"
    put(root, {f"{folder:03d}/{name:03d}": b"" for folder in range(60) for name in range(100)})
    with Relay(primary().port, Line(rate=200_000)) as relay:
        tree = SshTree(primary(port=relay.port), bytes(root))
        tree.check()
        listing = tree.list()
        next(listing)
        relay.cut()
        with pytest.raises(TransientError, match="connection was lost"):
            list(listing)
        assert len(list(tree.list())) == 6060


@pytest.mark.parametrize("way", ["pull", "push", "node to node"])
def test_a_copy_whose_connection_is_cut_begins_again(tmp_path, primary, dr, source, target, workspace, way):
    root = tmp_path / "source"
    put(root, {"big": os.urandom(1_500_000)})
    relayed = dr if way == "push" else primary
    with Relay(relayed().port, Line(rate=500_000)) as relay:
        copier = copier_over(relayed(port=relay.port, conn_id="through"), way, root, target, workspace)
        cutter = threading.Thread(target=cut_behind, args=(relay, 700_000))
        cutter.start()
        (copied,) = copier(files_of(root))
        cutter.join()
        assert copied.size == 1_500_000
        assert copied.sha256 == hashlib.sha256((root / "big").read_bytes()).digest()
        assert relay.moved > 2_000_000


@pytest.mark.parametrize("way", [pytest.param("pull", marks=pytest.mark.chaos), "push"])
def test_a_packed_batch_whose_connection_is_cut_is_sent_again(
    tmp_path, primary, dr, source, target, workspace, way, monkeypatch
):
    monkeypatch.setattr(batches, "PACKED_BYTES", 4_000_000)
    root = tmp_path / "source"
    put(root, {"a": os.urandom(400_000), "b/c": os.urandom(400_000)})
    relayed = dr if way == "push" else primary
    with Relay(relayed().port, Line(rate=400_000)) as relay:
        copier = copier_over(relayed(port=relay.port, conn_id="through"), way, root, target, workspace)
        cutter = threading.Thread(target=cut_behind, args=(relay, 500_000))
        cutter.start()
        copied = copier(files_of(root))
        cutter.join()
    for entry in copied:
        assert entry.sha256 == hashlib.sha256((root / os.fsdecode(entry.path)).read_bytes()).digest()


@pytest.mark.parametrize("way", ["pull", "push", pytest.param("node to node", marks=pytest.mark.chaos)])
def test_a_long_file_goes_on_where_its_connections_were_cut(
    tmp_path, primary, dr, source, target, workspace, way, monkeypatch
):
    monkeypatch.setattr(pieces, "PIECE_BYTES", 300_000)
    monkeypatch.setattr(batches, "LONG_BYTES", 600_000)
    root = tmp_path / "source"
    put(root, {"big": os.urandom(3_000_000)})
    relayed = dr if way == "push" else primary
    with Relay(relayed().port, Line(rate=400_000)) as relay:
        copier = copier_over(relayed(port=relay.port, conn_id="through"), way, root, target, workspace)
        cutter = threading.Thread(target=cut_behind, args=(relay, 2_000_000))
        cutter.start()
        (copied,) = copier(files_of(root))
        cutter.join()
        assert copied.sha256 == hashlib.sha256((root / "big").read_bytes()).digest()
        assert 3_000_000 < relay.moved < 4_600_000  # a piece on each line, and logins


def copier_over(through, way, root, target, workspace):
    """Return what copies from a folder this way, over a node that is reached through a relay."""
    if way == "push":
        target.volume = RemoteVolume(through, target.volume.root, target.volume.vault)
        return routes.folder_to_node(LocalTree(root), target, workspace)
    tree = SshTree(through, bytes(root))
    return pull(tree, target, workspace) if way == "pull" else routes.node_to_node(tree, target, workspace)


def cut_behind(relay, count):
    while relay.moved < count:
        time.sleep(0.01)
    relay.cut()


def test_a_node_that_reads_a_long_file_shows_signs_of_life(tmp_path, dr, monkeypatch):
    monkeypatch.setattr(node_agent, "BEAT_SECONDS", 0.02)
    with (tmp_path / "long").open("wb") as file:
        file.truncate(800_000_000)
    throttle = Throttle(Board(), None)
    with throttle.current():
        reader = RemoteReader(dr(conn_id="not asked before"), bytes(tmp_path), framing=False)
        (reading,) = reader([Entry(b"long", Kind.FILE, 800_000_000, 0, 0o600)])
    assert reading.size == 800_000_000
    assert throttle.board.counts().beats > 4  # three parts of the answer, and what the agent told meanwhile


# Rights


@pytest.fixture
def nobody(tmp_path_factory, dr):
    """Make connections whose agent runs as a user without special rights; root may read and write everything."""
    with folder_for_nobody() as home:
        python = home / "python-nobody"
        python.write_text(f'#!/bin/sh\nHOME={home}; export HOME\nexec {AS_NOBODY} /usr/bin/python3 "$@"\n')
        python.chmod(0o755)
        yield home, lambda: dr(conn_id="nobody", extra={"python": str(python)})


AS_NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups" if os.geteuid() == 0 else ""


def test_a_file_that_may_not_be_read_voids_the_point_by_name(nobody):
    home, connect = nobody
    put(home, {"source/a": b"1", "source/secret": b"2"})
    give_to_nobody(home)
    (home / "source/secret").chmod(0)
    tree = SshTree(connect(), bytes(home / "source"))
    a, secret = tree.list()
    assert tree.fetch(a, bytes(home / "into")).size == 1
    with pytest.raises(IntegrityError, match="cannot read secret: Permission denied") as caught:
        tree.fetch(secret, bytes(home / "other"))
    assert caught.value.where == f"ssh://nobody: {home}/source"
    with pytest.raises(IntegrityError, match="cannot read secret"):
        tree.ensure_readable([b"a", b"secret"])


def test_a_folder_that_may_not_be_read_voids_the_listing(nobody):
    home, connect = nobody
    put(home, {"source/a": b"1", "source/locked/x": b"2"})
    give_to_nobody(home)
    (home / "source/locked").chmod(0)
    with pytest.raises(IntegrityError, match="cannot read locked"):
        list(SshTree(connect(), bytes(home / "source")).list())


def test_a_vault_that_may_not_be_written_is_told(nobody, target):
    home, connect = nobody
    (home / "node").mkdir(mode=0o555)
    volume = RemoteVolume(connect(), bytes(home / "node/live"), bytes(home / "node/vault"))
    with pytest.raises(ConfigurationError, match="cannot write") as caught:
        SshTarget(target.catalog, volume).initialise()
    assert "mount it read-write" in caught.value.fix


# Processes


def test_the_agent_ends_with_its_connection(root, source):
    (hello,) = source.node.call("hello")
    os.kill(hello.head["pid"], 0)
    source.node.close()
    wait_for_end(hello.head["pid"])


def test_an_agent_that_is_killed_is_replaced(root, source):
    (hello,) = source.node.call("hello")
    os.kill(hello.head["pid"], signal.SIGKILL)
    wait_for_end(hello.head["pid"])
    source.check()


def wait_for_end(pid):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail(f"process {pid} still runs")
