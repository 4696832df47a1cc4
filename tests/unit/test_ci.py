"""What a change must pass: a test that fails now and then stops none, and what broke off stops every one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"
MAKEFILE = """
setup lint types bench:
	@true
test:
	@mkdir -p .pytest_cache/v/cache; cp failed .pytest_cache/v/cache/lastfailed; exit $(FIRST)
test-again:
	@touch again; exit $(AGAIN)
test-chaos:
	@true
"""
A_TEST, A_FILE, A_PROCESS = (
    '{\n  "tests/test_a.py::test_a": true\n}',
    '{\n  "tests/test_a.py": true\n}',
    '{\n  "gw1": true\n}',
)
BOTH = '{\n  "gw1": true,\n  "tests/test_a.py": true\n}'


def ran(folder: Path, failed: str, first: int, again: int) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder, where tests end with a status of pytest."""
    (folder / ".ci").mkdir()
    shutil.copy(RUN, folder / ".ci" / "run")
    (folder / "Makefile").write_text(f"FIRST = {first}\nAGAIN = {again}\n{MAKEFILE}")
    (folder / "failed").write_text(failed)
    return subprocess.run([folder / ".ci" / "run"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("failed", [A_TEST, A_FILE])
@pytest.mark.parametrize("again", [0, 1])
def test_what_failed_is_run_again_and_decides(tmp_path: Path, failed: str, again: int) -> None:
    done = ran(tmp_path, failed, 1, again)
    assert done.returncode == again
    assert ("=== unsteady:" in done.stdout) is (again == 0)
    assert "test] Error 1" in done.stderr


@pytest.mark.parametrize(
    ("failed", "first"), [(A_TEST, 2), (A_TEST, 3), (A_TEST, 4), ("{}", 5), (A_TEST, 139), (A_PROCESS, 1), (BOTH, 1)]
)
def test_what_broke_off_is_not_put_right_by_a_few_that_pass(tmp_path: Path, failed: str, first: int) -> None:
    done = ran(tmp_path, failed, first, 0)
    assert done.returncode == 1
    assert not (tmp_path / "again").exists()
    assert "=== make test broke off: nothing is run again ===" in done.stdout


def test_what_passes_passes(tmp_path: Path) -> None:
    done = ran(tmp_path, "{}", 0, 1)
    assert (done.returncode, (tmp_path / "again").exists()) == (0, False)
