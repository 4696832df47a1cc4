"""What all benchmarks share: the size, a folder to work in, the reports, and the table at the end of the run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.report import Report
from tests.benchmarks.sizes import SIZES, Size
from tests.benchmarks.trees import remove

_RESULTS = Path(__file__).parents[2] / ".bench"
_REPORTS = pytest.StashKey[list[Report]]()


@pytest.fixture(scope="session")
def size() -> Size:
    """The sizes that BENCH_SIZE names."""
    return SIZES[os.environ.get("BENCH_SIZE", "small")]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """An empty folder below TMPDIR, which must be on a disk: what lies in memory is not a benchmark of files."""
    yield from _folder()


@pytest.fixture(scope="module")
def scratch_of_module() -> Iterator[Path]:
    """The same, for all tests of one module."""
    yield from _folder()


def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="incorta-bench-"))
    try:
        yield folder
    finally:
        remove(folder)


@pytest.fixture(scope="session")
def storage_report(pytestconfig: pytest.Config, size: Size) -> Report:
    """Rows of ``.bench/storage.json``."""
    return _report(pytestconfig, "storage", size)


@pytest.fixture(scope="session")
def metadata_report(pytestconfig: pytest.Config, size: Size) -> Report:
    """Rows of ``.bench/metadata.json``."""
    return _report(pytestconfig, "metadata", size)


def _report(config: pytest.Config, name: str, size: Size) -> Report:
    command = f"BENCH_SIZE={size.name} pytest -m bench tests/benchmarks/test_{name}.py"
    report = Report(_RESULTS / f"{name}.json", command)
    config.stash.setdefault(_REPORTS, []).append(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables."""
    for report in config.stash.get(_REPORTS, []):
        terminalreporter.section(report.path.name)
        for line in report.lines():
            terminalreporter.write_line(line)
