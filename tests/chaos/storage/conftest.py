"""The worker that is killed, and the story that it is killed in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.chaos.storage.stage")

from tests.builders.storage import folder_in_memory  # noqa: E402
from tests.chaos.storage.stage import Stage, Story, Worker  # noqa: E402
from tests.chaos.tally import Tally  # noqa: E402


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("worker.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    yield Worker(process)
    assert process.stdin is not None
    process.stdin.close()
    process.wait(30)


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def stage(root: Path, worker: Worker, share: int | None, tally: Tally) -> Stage:
    return Stage(root, worker, share, tally)


@pytest.fixture
def story(stage: Stage) -> Story:
    return Story(stage)
