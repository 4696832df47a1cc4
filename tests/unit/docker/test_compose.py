from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.configuration import conf

COMPOSE = Path(__file__).parents[3] / "docker" / "compose.yaml"
AIRFLOW = ("migrate", "api-server", "scheduler", "dag-processor", "triggerer")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return dict(document["services"])


@pytest.mark.parametrize("name", AIRFLOW)
def test_every_airflow_container_is_the_same_image_with_the_same_settings(services: dict[str, Any], name: str) -> None:
    reference = services["scheduler"]
    for key in ("image", "environment", "volumes"):
        assert services[name][key] == reference[key]
    assert services[name]["command"].split()[0] in {name, "db"}


def test_every_option_exists(services: dict[str, Any]) -> None:
    known = conf.configuration_description
    for variable in services["scheduler"]["environment"]:
        _, section, option = variable.lower().split("__")
        assert option in known[section]["options"], variable


def test_no_secret_has_a_default(services: dict[str, Any]) -> None:
    variables = set(re.findall(r"\$\{([^}]*)\}", COMPOSE.read_text(encoding="utf-8")))
    assert {"FERNET_KEY:?", "JWT_SECRET:?", "API_SECRET_KEY:?", "POSTGRES_PASSWORD:?"} <= variables
    assert all(variable.endswith(":?") for variable in variables)


def test_the_primarys_storage_is_mounted_read_only(services: dict[str, Any]) -> None:
    assert "${PRIMARY_MOUNT:?}:/mnt/primary:ro" in services["scheduler"]["volumes"]
