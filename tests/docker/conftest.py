"""docker/ as a site starts it: the image is built, the services are up and healthy; all goes with the tests.

``AIRFLOW_IMAGE`` and ``POSTGRES_IMAGE`` in the environment name images to take instead of the stand-ins.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.airflow.client import AirflowClient
from tests.docker import standins
from tests.docker.engine import Compose, missing

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ACCOUNT = 50000
"""Whose containers the official image's are."""
ADMIN = "ada"
START_SECONDS = 900


@dataclass(frozen=True)
class Running:
    """The services, and how to reach them as the administrator."""

    compose: Compose
    url: str
    password: str = field(repr=False)


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """Return the images to begin with, by their variables; stand-ins are made for those that the environment lacks."""
    wanted = {"AIRFLOW_IMAGE": "airflow", "POSTGRES_IMAGE": "postgres"}
    named = {variable: os.environ[variable] for variable in wanted if os.environ.get(variable)}
    lacking = missing(*(standins.PROGRAMS if len(named) < len(wanted) else ()))
    if lacking:
        pytest.fail("these tests need, and this machine has not: " + "; ".join(lacking), pytrace=False)
    return {variable: named.get(variable) or standins.make(target) for variable, target in wanted.items()}


@pytest.fixture(scope="session")
def running(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Build, start, wait until every service is healthy, and make the administrator, as the compose file says it."""
    folder = tmp_path_factory.mktemp("site")
    folder.parent.chmod(0o755)
    folder.chmod(0o755)
    port = _free_port()
    settings = _write_settings(folder, {**images, "API_PORT": str(port)})
    files = (ROOT / "docker" / "compose.yaml", HERE / "compose.yaml")
    compose = Compose("incorta-test-docker", settings, files)
    try:
        _up(compose)
        password = secrets.token_hex(16)  # begins with no hyphen, which would be an option
        person = f"--username {ADMIN} --firstname {ADMIN} --lastname {ADMIN} --email {ADMIN}@example.com"
        compose.inside("api-server", f"airflow users create --role Admin {person} --password {password}")
        yield Running(compose, f"http://127.0.0.1:{port}", password)
    finally:
        compose("down", "--volumes", "--remove-orphans")


@pytest.fixture
def admin(running: Running) -> Iterator[AirflowClient]:
    """Return the session of the administrator."""
    with AirflowClient(running.url, ADMIN, running.password) as client:
        yield client


def _up(compose: Compose) -> None:
    try:
        compose("up", "--build", "--detach", "--wait", "--wait-timeout", str(START_SECONDS))
    except AssertionError as error:
        raise AssertionError(f"{error}\n{compose('logs', '--tail', '40')}") from None


def _write_settings(folder: Path, given: dict[str, str]) -> Path:
    """Write the variables that docker/compose.yaml asks for, and make the folders that they name."""
    shutil.copytree(HERE / "site", folder / "config")
    (folder / "config" / "key").write_text("a private key")
    (folder / "config" / "key").chmod(0o600)
    for name in ("primary", "dr"):
        (folder / name).mkdir()
    for path in (folder / "config" / "key", folder / "primary", folder / "dr"):
        os.chown(path, ACCOUNT, 0)
    values = {
        "FERNET_KEY": _drawn(32),
        **{name: _drawn(48) for name in ("POSTGRES_PASSWORD", "JWT_SECRET", "API_SECRET_KEY")},
        "SITE_CONFIG": str(folder / "config"),
        "PRIMARY_MOUNT": str(folder / "primary"),
        "DR_MOUNT": str(folder / "dr"),
        "INCORTA_AIRFLOW_IMAGE": "incorta-test-docker",
        **given,
    }
    path = folder / ".env"
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    path.chmod(0o600)
    return path


def _drawn(size: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
