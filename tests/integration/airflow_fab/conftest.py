"""A real Airflow with the FAB auth manager, the roles that ``incorta-dr roles`` makes, and one person with each."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
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
        client = httpx.Client(base_url=self.url, timeout=180, trust_env=False)
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
        password = secrets.token_hex(12)  # begins with no hyphen, which would be an option
        groups = Topology.model_validate(topology_document(lab.root)).groups
        roles = [line for line in role_script(groups) if line.startswith(("airflow ", "known "))]
        who = f"--username {ADMIN} --firstname {ADMIN} --lastname {ADMIN} --email {ADMIN}@example.com"
        admin = f"airflow users create {who} --role Admin --password {password}"
        said = _airflow(settings, ["airflow dags reserialize", *roles, admin])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner, "START_SECONDS", 600)  # the first start of FAB writes all of its permissions
            runner.up(settings, lambda _: None)
        made = People(settings.url, password, said)
        with closing(made.session(ADMIN)) as session:
            for name, role in PEOPLE.items():
                _make(session, name, role, password)
        yield made
        runner.down(settings)


def _make(session: httpx.Client, name: str, role: str, password: str) -> None:
    person = {"username": name, "email": f"{name}@example.com", "first_name": name, "last_name": name}
    answer = session.post("/auth/fab/v1/users", json={**person, "roles": [{"name": role}], "password": password})
    assert answer.status_code == 200, answer.text


def _airflow(settings: Settings, commands: list[str]) -> str:
    """Run commands of this environment's Airflow, and return what they complained of."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("in_one_process.py"))],
        input="\n".join(commands),
        env=marked_environment(settings.lab, "", "roles", settings.environment()),
        cwd=settings.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stderr
