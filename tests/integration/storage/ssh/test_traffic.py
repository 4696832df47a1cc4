"""Which way bytes take, and how fast: what the limit says reaches whatever moves them."""

from __future__ import annotations

import json
import os
import sys

import pytest

from incorta_provider.dr.manifest import Kind
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.limit import Limit, override_path
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh import batches, pieces, routes
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.volume import RemoteVolume
from tests.benchmarks.relay import Relay
from tests.builders.storage import put

pytestmark = pytest.mark.lab

MB = 1_000_000
STREAMS = 4


@pytest.fixture
def rsyncs(tmp_path, monkeypatch):
    """Return the words of each rsync that is started here or at the nodes, which are this machine."""
    words = tmp_path / "words"
    words.touch()
    program = tmp_path / "bin/rsync"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"with open({str(words)!r}, 'a') as file:\n    file.write(json.dumps(sys.argv) + '\\n')\n"
        "os.execv('/usr/bin/rsync', ['rsync', *sys.argv[1:]])\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(batches, "PACKED_BYTES", 0)
    return lambda: [json.loads(line) for line in words.read_text().splitlines()]


def files_of(root):
    return [entry for entry in LocalTree(root).list() if entry.kind is Kind.FILE]


def noted(node, monkeypatch):
    """Return what a node is asked from now on."""
    asked = []
    stream = node.stream
    monkeypatch.setattr(node, "stream", lambda do, *args, **head: asked.append((do, head)) or stream(do, *args, **head))
    return asked


def limits_in(commands):
    return [[word for word in words if word.startswith("--bwlimit")] for words in commands]


@pytest.mark.parametrize("way", ["pull", "push"])
def test_rsync_is_told_its_part_of_the_limit(root, source, target, workspace, rsyncs, way):
    put(root, {"a": b"1", "b": b"2", "c": b"3"})
    a, b, c = files_of(root)
    if way == "pull":
        copier = routes.node_to_folder(source, LocalTarget(root, target.catalog), workspace)
    else:
        copier = routes.folder_to_node(LocalTree(root), target, workspace)
    copier([a])
    now = iter(range(0, 1000, 10))
    limit = Limit(target.catalog.root, STREAMS * 1024 * 50, workspace.root, lambda: next(now))
    with Throttle(Board(), limit).current():
        copier([b])
        override_path(target.catalog.root).write_text(json.dumps({"bytes_per_second": STREAMS * 1024 * 20}))
        copier([c])
    assert limits_in(rsyncs()) == [[], ["--bwlimit=50"], ["--bwlimit=20"]]


def test_a_node_that_pulls_is_told_its_part_of_the_limit(root, source, target, workspace, monkeypatch):
    put(root, {"a": b"1", "long": bytes(3_000)})
    monkeypatch.setattr(batches, "LONG_BYTES", 2_000)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 2_000)
    asked = noted(target.volume.node, monkeypatch)
    copier = routes.node_to_node(source, target, workspace)
    with Throttle(Board(), Limit(target.catalog.root, STREAMS * MB, workspace.root)).current():
        copier(files_of(root))
    rates = {(do, head["rate"]) for do, head in asked if "rate" in head}
    assert rates == {("pull", MB), ("pull_piece", MB)}


def test_what_goes_from_node_to_node_does_not_pass_the_worker(root, source, target, workspace, dr, monkeypatch):
    monkeypatch.setattr(batches, "LONG_BYTES", 2 * MB)
    monkeypatch.setattr(pieces, "PIECE_BYTES", MB)
    put(root, {"long": os.urandom(4 * MB), **{f"{number:03d}": os.urandom(20_000) for number in range(100)}})
    with Relay(dr().port) as relay:
        volume = RemoteVolume(dr(port=relay.port, conn_id="relayed"), target.volume.root, target.volume.vault)
        questions = noted(source.node, monkeypatch)
        copied = routes.node_to_node(source, SshTarget(target.catalog, volume), workspace)(files_of(root))
    assert sum(entry.size for entry in copied) == 6 * MB
    assert 0 < relay.moved < MB // 4, "what the target's node was asked and told"
    assert {do for do, _ in questions} == {"facts"}, "nothing else is asked at the source"
