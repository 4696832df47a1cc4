"""What the agent is made of."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from incorta_provider.storage.ssh.bundle import bundle


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "agent.pyz"
    path.write_bytes(bundle().data)
    return path


def test_the_agent_needs_nothing_but_the_standard_library(program: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(program)], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"incorta-dr agent ready\n", b"")


def test_the_same_modules_make_the_same_file() -> None:
    before = bundle()
    bundle.cache_clear()
    assert bundle() == before


def test_it_is_small_and_holds_no_secret(program: Path) -> None:
    names = zipfile.ZipFile(program).namelist()
    assert program.stat().st_size < 200_000
    assert not [name for name in names if "airflow" in name or "paramiko" in name or "connection" in name]
