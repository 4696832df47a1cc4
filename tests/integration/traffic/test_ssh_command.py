"""A command at a host with a real sshd."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.traffic import SshCommand
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.traffic.doer import switch
from incorta_provider.traffic.ssh_command import CommandAtHost

pytestmark = pytest.mark.lab

AWKWARD = "n1; touch $HOME/hacked 'quoted' \"too\" é"


@pytest.fixture
def command(tmp_path: Path) -> Any:
    """Make commands that keep the value in a file, and count how often it is set."""
    (tmp_path / "value").write_text("b1\n")

    def make(**changes: Any) -> SshCommand:
        script = f'printf "%s\\n" "$1" >{tmp_path}/value; echo "$2" >>{tmp_path}/sets'
        fields = {
            "kind": "ssh",
            "name": "proxy",
            "conn_id": "proxy",
            "set": ["sh", "-c", script, "sh", "{value}", "{site}"],
            "get": ["cat", str(tmp_path / "value")],
            "values": {"berlin": "b1", "newyork": AWKWARD},
            "seconds": 5,
        }
        return SshCommand(**{**fields, **changes})

    return make


def sets(folder: Path) -> list[str]:
    return (folder / "sets").read_text().splitlines()


def test_it_is_switched_and_set_back(command: Any, host: ConnectionInfo, tmp_path: Path) -> None:
    config = command()
    doer = CommandAtHost(config, host, "run 1")
    before = doer.read()
    assert before == {"value": "b1"}
    assert switch(doer, config.state_for("newyork")) is True
    assert (tmp_path / "value").read_text() == AWKWARD + "\n"
    assert switch(doer, config.state_for("newyork")) is False
    assert switch(CommandAtHost(config, host, "run 1 back"), before) is True
    assert (tmp_path / "value").read_text() == "b1\n"
    assert sets(tmp_path) == ["newyork", "berlin"]


def test_a_command_that_fails_is_told_with_what_it_said(command: Any, host: ConnectionInfo) -> None:
    config = command(set=["sh", "-c", "echo the pool is locked >&2; exit 3"])
    with pytest.raises(TransientError, match="sh ended with exit status 3: the pool is locked"):
        switch(CommandAtHost(config, host, "run 1"), config.state_for("newyork"))


def test_a_command_that_does_nothing_is_not_believed(command: Any, host: ConnectionInfo) -> None:
    config = command(set=["true"], seconds=1)
    with pytest.raises(TransientError, match="it is still value b1 instead of value n1"):
        switch(CommandAtHost(config, host, "run 1"), config.state_for("newyork"))


@pytest.mark.parametrize("which", ["set", "get"])
def test_a_command_that_is_not_there_is_a_matter_of_the_topology(
    command: Any, host: ConnectionInfo, which: str
) -> None:
    config = command(**{which: ["/nowhere/switch"]})
    with pytest.raises(ConfigurationError, match=r"/nowhere/switch ended with exit status 127"):
        switch(CommandAtHost(config, host, "run 1"), config.state_for("newyork"))


def test_what_was_unset_cannot_be_unset_again(command: Any, host: ConnectionInfo, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("")
    config = command()
    doer = CommandAtHost(config, host, "run 1")
    assert doer.read() is None
    switch(doer, config.state_for("newyork"))
    with pytest.raises(ConfigurationError, match="no command that removes one"):
        switch(doer, None)


def test_a_host_that_is_not_the_one_we_know_is_refused(command: Any, host: ConnectionInfo, tmp_path: Path) -> None:
    (tmp_path / "others").write_text("")
    stranger = dataclasses.replace(host, extra={**host.extra, "known_hosts_file": str(tmp_path / "others")})
    with pytest.raises(ConfigurationError):
        CommandAtHost(command(), stranger, "run 1").read()
