"""A real Airflow with the FAB auth manager, the roles that ``incorta-dr roles`` makes, and one person with each."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from incorta_provider.dr.airflow_roles import APPROVER, OPERATOR, VIEWER, role_script
from incorta_provider.dr.topology import Topology
from lab.airflow import runner
from lab.airflow.settings import Settings
from lab.supervisor import marked_environment
from lab.testbed import borrowed
from tests.builders.group import topology_document
from tests.builders.lab_state import STATE

DAGS = Path(__file__).parent / "dags"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
PEOPLE = {"vera": VIEWER, "otto": OPERATOR, "anna": APPROVER}
ADMIN = "ada"


@dataclass(frozen=True)
class FabSettings(Settings):
    """The lab's Airflow with another auth manager."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "AIRFLOW__CORE__AUTH_MANAGER": FAB}


@dataclass(frozen=True)
class People:
    """Who logs in where, with the password that all have.

    :ivar said: by the script that made the roles.
    """

    url: str
    password: str = field(repr=False)
    said: str

    def session(self, name: str) -> httpx.Client:
        client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        answer = client.post("/auth/token", json={"username": name, "password": self.password})
        assert answer.status_code == 201, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client


@pytest.fixture(scope="session")
def people() -> Iterator[People]:
    """Run this Airflow for the session."""
    with borrowed(STATE) as lab:
        lab.connections_file.write_text(json.dumps({"some_node": {"conn_type": "generic"}}), encoding="utf-8")
        settings = FabSettings(lab, DAGS)
        runner.prepare(settings)
        runner.run_command(settings, "dags", "reserialize")
        password = secrets.token_urlsafe(12)
        roles_made = _shell(settings, _script(lab.root))
        who = ["--username", ADMIN, "--firstname", ADMIN, "--lastname", ADMIN, "--email", f"{ADMIN}@example.com"]
        runner.run_command(settings, "users", "create", *who, "--role", "Admin", "--password", password)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner, "START_SECONDS", 600)  # the first start of FAB writes all of its permissions
            runner.up(settings, lambda _: None)
        made = People(settings.url, password, roles_made)
        with made.session(ADMIN) as session:
            for name, role in PEOPLE.items():
                _make(session, name, role, password)
        yield made
        runner.down(settings)


def _make(session: httpx.Client, name: str, role: str, password: str) -> None:
    person = {"username": name, "email": f"{name}@example.com", "first_name": name, "last_name": name}
    answer = session.post("/auth/fab/v1/users", json={**person, "roles": [{"name": role}], "password": password})
    assert answer.status_code == 201, answer.text


def _script(root: Path) -> str:
    groups = Topology.model_validate(topology_document(root)).groups
    return "\n".join(role_script(groups))


def _shell(settings: Settings, script: str) -> str:
    """Run a script where ``airflow`` is this environment's."""
    folder = settings.home / "bin"
    folder.mkdir()
    program = folder / "airflow"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m airflow "$@"\n')
    program.chmod(0o755)
    environment = marked_environment(settings.lab, "", "roles", settings.environment())
    environment["PATH"] = os.pathsep.join([str(folder), os.environ["PATH"]])
    done = subprocess.run(
        ["sh"], input=script, env=environment, cwd=settings.home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stderr
