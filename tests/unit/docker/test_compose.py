from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.configuration import conf

ROOT = Path(__file__).parents[3]
VARIABLE = re.compile(r"\$\{([^}]*)\}")
AIRFLOW = ("migrate", "api-server", "scheduler", "dag-processor", "triggerer")


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(text)
    return dict(document["services"])


@pytest.mark.parametrize("name", AIRFLOW)
def test_every_airflow_container_is_the_same_image_with_the_same_settings(services: dict[str, Any], name: str) -> None:
    reference = services["scheduler"]
    for key in ("image", "environment", "volumes"):
        assert services[name][key] == reference[key]
    assert services[name]["command"].split()[0] in {name, "db"}


def test_that_image_is_built_once(services: dict[str, Any]) -> None:
    """A build for each service makes as many images, of which all but the last lose their name."""
    assert [name for name in services if "build" in services[name]] == ["migrate"]


def test_every_option_exists(services: dict[str, Any]) -> None:
    known = conf.configuration_description
    for variable in services["scheduler"]["environment"]:
        _, section, option = variable.lower().split("__")
        assert option in known[section]["options"], variable


def test_what_a_site_must_say_has_no_default(text: str) -> None:
    required = {name.removesuffix(":?") for name in VARIABLE.findall(text) if name.endswith(":?")}
    secrets = {"FERNET_KEY", "JWT_SECRET", "API_SECRET_KEY", "POSTGRES_PASSWORD"}
    assert required == secrets | {"SITE_CONFIG", "PRIMARY_MOUNT", "DR_MOUNT"}


def test_the_base_images_can_be_named_and_are_of_the_airflow_that_is_tested(text: str) -> None:
    (version,) = re.findall(r"^apache-airflow==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    image = f"apache/airflow:{version}"
    assert f"AIRFLOW_IMAGE:-{image}" in VARIABLE.findall(text)
    assert f"ARG AIRFLOW_IMAGE={image}\n" in (ROOT / "docker" / "Dockerfile").read_text()
    assert "POSTGRES_IMAGE:-postgres:17" in VARIABLE.findall(text)


def test_both_storages_can_be_written_for_roles_change(services: dict[str, Any]) -> None:
    mounts = {"${PRIMARY_MOUNT:?}:/mnt/primary", "${DR_MOUNT:?}:/mnt/dr"}
    assert mounts <= set(services["scheduler"]["volumes"])


def test_nothing_is_published_beyond_the_loopback_address(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:${API_PORT:-8080}:8080"]


def test_only_what_the_image_is_made_of_is_sent_to_the_engine() -> None:
    """A checkout also has the passwords of the lab."""
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(
        r"^COPY (?!--from)(?:--\S+ )?(.*) \S+$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE
    )
    assert rules[1] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(" ".join(copied).split())
