"""What a session at a node of the lab gets, and what it does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.layout import DEMO_BASE, DR, Lab
from lab.servers.sshd import Sshd


def test_a_command_does_not_read_the_start_file_of_whoever_runs_the_lab(tmp_path: Path) -> None:
    """Bash reads it where SSH starts it, unless it seems to run within another shell."""
    (tmp_path / ".bashrc").write_text("echo start file\n")
    sshd = Sshd(Lab(tmp_path / "lab", DEMO_BASE).site(DR).node(1))
    by_ssh = {"HOME": str(tmp_path), "SSH_CLIENT": "127.0.0.1 1 22", "PATH": "/usr/bin:/bin"}
    assert printed(by_ssh) == "start file\ncommand\n"
    assert printed(by_ssh | sshd.session_environment) == "command\n"


def printed(environment: dict[str, str]) -> str:
    command = ["bash", "-c", "echo command"]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    ).stdout
