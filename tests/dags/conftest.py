"""The DAGs as Airflow's own reader finds them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DAGS = Path(__file__).parents[2] / "dags"
READER = Path(__file__).with_name("reader.py")


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """Run the process that reads DAGs."""
    home = tmp_path_factory.mktemp("airflow")
    log = home / "reader.log"
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    environment["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
    pipe = subprocess.PIPE
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, str(READER)], env=environment, stdin=pipe, stdout=pipe, stderr=errors, text=True
        ) as process,
    ):
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="session")
def read_dags(reader: subprocess.Popen[str]) -> Callable[..., dict]:
    """Return a function that reads a folder of DAGs with a given topology, in a process of its own."""

    def read(topology: Path | None, folder: Path = DAGS) -> dict:
        assert reader.stdin is not None
        assert reader.stdout is not None
        environment = {} if topology is None else {"AIRFLOW__INCORTA_DR__TOPOLOGY": str(topology)}
        reader.stdin.write(json.dumps({"folder": str(folder), "environment": environment}) + "\n")
        reader.stdin.flush()
        line = next((line for line in reader.stdout if line.startswith("RESULT")), "")
        assert line, f"the reader ended with status {reader.wait()}"
        found = json.loads(line.removeprefix("RESULT"))
        assert "broken" not in found, found["broken"]
        return found

    return read
