"""A dump whose client runs at a node, over SSH, and one at a member of the cluster that takes no writes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.inventory import DISABLED
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.metadata import attempts as attempts_module
from incorta_provider.metadata import node_dump as node_dump_module
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.engines.mariadb import MariaDb
from incorta_provider.metadata.event_status import switch_events
from incorta_provider.metadata.prove import prove
from incorta_provider.metadata.tls import Mode, Tls
from lab.servers.sshd import Sshd

pytestmark = pytest.mark.lab


@pytest.fixture
def nasty(nasty: Any) -> Any:
    """One of everything, with an event that does not write each second: so the attempts can be counted.

    A plain ALTER EVENT would not do: what had begun still writes, and may even switch the event on again.
    """
    switch_events(nasty.endpoint, ["every_second"], DISABLED)
    return nasty


@pytest.fixture
def node(sshd_nodes: dict[str, Sshd]) -> ConnectionInfo:
    sshd = sshd_nodes["berlin_node1"]
    extra = {"key_file": str(sshd.key_file), "known_hosts_file": str(sshd.known_hosts)}
    return ConnectionInfo("berlin_node1", host=sshd.host, port=sshd.port, login=sshd.user, extra=extra)


def test_a_dump_that_runs_at_a_node_is_proven_like_any_other(
    nasty: Any, dr: Any, node: ConnectionInfo, folder: Path
) -> None:
    report = dump(nasty.endpoint, folder, node=node)
    assert (report.tables, report.attempts) == (9, 1)
    assert prove(dr.endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="node") == []


def test_the_password_is_in_no_argument_at_the_node(
    nasty: Any, node: ConnectionInfo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    genuine = node_dump_module.NodeDump.pieces

    def pieces(running: node_dump_module.NodeDump) -> Iterator[bytes]:
        seen.append(subprocess.check_output(["ps", "-ww", "-eo", "args"], text=True))
        yield from genuine(running)

    monkeypatch.setattr(node_dump_module.NodeDump, "pieces", pieces)
    dump(nasty.endpoint, folder, node=node)
    assert f"--user={nasty.endpoint.user}" in seen[0] or "mariadb-dump" not in seen[0]
    assert nasty.endpoint.password not in seen[0]


def test_a_commit_between_the_two_snapshots_makes_it_start_over(
    nasty: Any, dr: Any, node: ConnectionInfo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, genuine = [1], node_dump_module.NodeDump.begin

    def begin(running: node_dump_module.NodeDump) -> str:
        named = genuine(running)
        if waiting:
            nasty.run(f"INSERT INTO empty_one VALUES ({waiting.pop()})")
        return named

    monkeypatch.setattr(node_dump_module.NodeDump, "begin", begin)
    assert dump(nasty.endpoint, folder, node=node).attempts == 2
    assert prove(dr.endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="node") == []


def test_a_database_that_is_never_quiet_is_not_dumped_so(
    nasty: Any, node: ConnectionInfo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers, genuine = iter(range(100)), node_dump_module.NodeDump.begin

    def begin(running: node_dump_module.NodeDump) -> str:
        named = genuine(running)
        nasty.run(f"INSERT INTO empty_one VALUES ({next(numbers)})")
        return named

    monkeypatch.setattr(node_dump_module.NodeDump, "begin", begin)
    monkeypatch.setattr(attempts_module, "ATTEMPTS", 2)
    with pytest.raises(TransientError, match="something was committed between the node's snapshot"):
        dump(nasty.endpoint, folder, node=node)
    assert list(folder.iterdir()) == []


def test_what_fails_at_the_node_is_told_in_its_words(
    nasty: Any, node: ConnectionInfo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        programs = replace(MariaDb.programs, names={**MariaDb.programs.names, "dump": ("no-such-dump",)})
        patch.setattr(MariaDb, "programs", programs)
        with pytest.raises(ConfigurationError, match="none of no-such-dump is installed"):
            dump(nasty.endpoint, folder, node=node)
    encrypted = replace(nasty.endpoint, tls=Tls(Mode.REQUIRED))
    with (
        pytest.raises(ConfigurationError, match="is not trusted with TLS"),
        node_dump_module.waiting_at_node(encrypted, node, MariaDb("10")),
    ):
        pass
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1"):
        dump(nasty.endpoint, folder, node=replace(node, port=1))
    assert list(folder.iterdir()) == []
