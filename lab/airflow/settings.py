"""How the lab's Airflow is set up: everything by environment variables, nothing from a file of the user's.

SQLite and LocalExecutor are enough for one machine. SimpleAuthManager is Airflow's own for demonstrations; for real use
the README says which auth manager to take.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.files import write
from lab.layout import Lab

REQUESTER = "operator"
APPROVER = "approver"
ROLES: Mapping[str, str] = {REQUESTER: "op", APPROVER: "user"}
"""Two accounts and their roles in SimpleAuthManager; ``op`` may also look at the connections."""

DATABASE_SECONDS = 60
"""SQLite has one writer; on a busy machine the others wait longer than the five seconds that it gives them."""

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_LOOPBACK = "127.0.0.1,localhost"


@dataclass(frozen=True, slots=True)
class Settings:
    """The Airflow of one lab.

    :param dags: the folder of the DAG files.
    """

    lab: Lab
    dags: Path = _CHECKOUT / "dags"

    @property
    def home(self) -> Path:
        """Return AIRFLOW_HOME."""
        return self.lab.root / "airflow"

    @property
    def logs(self) -> Path:
        """Return the folder with the logs of the four processes and of all tasks."""
        return self.home / "logs"

    @property
    def database(self) -> Path:
        """Return the SQLite file."""
        return self.home / "airflow.db"

    @property
    def port(self) -> int:
        """Return the port of the API server, which also serves the UI."""
        return self.lab.port("airflow")

    @property
    def url(self) -> str:
        """Return where API and UI are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def passwords_file(self) -> Path:
        """Return the file in which SimpleAuthManager looks up passwords, mode 0600."""
        return self.home / "passwords.json"

    @property
    def secrets_file(self) -> Path:
        """Return the file with the keys of this Airflow, mode 0600."""
        return self.home / "secrets.json"

    def passwords(self) -> dict[str, str]:
        """Return the password of each account; draw them when there are none yet."""
        return _drawn(self.passwords_file, lambda: {user: secrets.token_urlsafe(12) for user in ROLES})

    def environment(self) -> dict[str, str]:
        """Return what every process of this Airflow needs in its environment."""
        keys = _drawn(self.secrets_file, _draw_keys)
        options = {**self._core(), **self._api(), **self._scheduling()}
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
            "AIRFLOW__API__SECRET_KEY": keys["api"],
            "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
            **{f"AIRFLOW__{name}": value for name, value in options.items()},
            # a proxy of the user's must not stand between tasks and the API server
            "NO_PROXY": _LOOPBACK,
            "no_proxy": _LOOPBACK,
        }

    def _core(self) -> dict[str, str]:
        return {
            "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in ROLES.items()),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords_file),
            "CORE__DAGS_FOLDER": str(self.dags),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "6",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            # a task whose first word is not answered in time has failed; on a busy machine five seconds are not enough
            "WORKERS__EXECUTION_API_TIMEOUT": "30",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}?timeout={DATABASE_SECONDS}",
            "LOGGING__BASE_LOG_FOLDER": str(self.logs),
            "USAGE_DATA_COLLECTION__ENABLED": "False",
            "INCORTA_DR__TOPOLOGY": str(self.lab.topology_file),
        }

    def _api(self) -> dict[str, str]:
        return {
            "API__HOST": "127.0.0.1",
            "API__PORT": str(self.port),
            "API__BASE_URL": self.url,
            "API__WORKERS": "1",
            "API__EXPOSE_CONFIG": "False",
        }

    @staticmethod
    def _scheduling() -> dict[str, str]:
        return {
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        }


def foreign_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the Airflow variables of the user's own environment that would otherwise leak into the lab's."""
    return sorted(name for name in os.environ if name.startswith("AIRFLOW") and name not in environment)


def _drawn(path: Path, draw: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Return the secrets in a file; draw and write them, mode 0600, when there is none yet."""
    if not path.exists():
        write(path, json.dumps(draw()), mode=0o600)
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _draw_keys() -> dict[str, str]:
    return {
        "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "api": secrets.token_urlsafe(32),
        "jwt": secrets.token_urlsafe(64),
    }
