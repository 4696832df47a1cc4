"""What the provider tells Airflow is valid by Airflow's own schemas, and everything that it names exists."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from incorta_provider import __version__
from incorta_provider.provider_info import get_provider_info

READER = """
import importlib, inspect, json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator
from incorta_provider.provider_info import get_provider_info

info = get_provider_info()


def base_of(member):
    return next(base.__name__ for base in (BaseHook, BaseSensorOperator, BaseOperator) if issubclass(member, base))


def blocks_in(name):
    members = vars(importlib.import_module(name)).values()
    own = (member for member in members if inspect.isclass(member) and member.__module__ == name)
    return {member.__name__: base_of(member) for member in own if issubclass(member, (BaseHook, BaseOperator))}


named = {
    kind: {name: blocks_in(name) for entry in info[kind] for name in entry["python-modules"]}
    for kind in ("hooks", "operators", "sensors")
}
hooks = ProvidersManager().hooks
print("RESULT" + json.dumps({
    "named": named,
    "hooks": {name: [hook.hook_class_name, hook.hook_name, hook.connection_testable]
              for name, hook in ((name, hooks[name]) for name in hooks if name.startswith("incorta"))},
    "forms": {meta.connection_type: meta.model_dump(mode="json") for meta in HookMetaService.hook_meta_data()
              if meta.connection_type and meta.connection_type.startswith("incorta")},
    "links": [importlib.import_module(module).__dict__[name].name
              for module, _, name in (link.rpartition(".") for link in info["extra-links"])],
    "topology": conf.get("incorta_dr", "topology"),
}))
"""


def schema(name: str) -> dict[str, Any]:
    """Return one of Airflow's schemas; Airflow itself is not imported."""
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    return json.loads((Path(spec.origin).parent / name).read_text())


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a fresh Airflow makes of the provider."""
    home = {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}
    done = subprocess.run(
        [sys.executable, "-c", READER], env={**os.environ, **home}, capture_output=True, text=True, check=False
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    assert line is not None, done.stderr
    return json.loads(line.removeprefix("RESULT"))


def test_it_is_valid_by_airflows_schema():
    jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))


@pytest.mark.parametrize("part", ["connection-types", "config"])
def test_its_parts_are_valid_by_the_stricter_schema_of_airflows_own_providers(part):
    whole = schema("provider.yaml.schema.json")
    jsonschema.validate(
        {part: get_provider_info()[part]},
        {"properties": {part: whole["properties"][part]}, "definitions": whole.get("definitions", {})},
    )


def test_it_is_of_this_version():
    assert get_provider_info()["versions"] == [__version__]


def test_it_imports_nothing_of_airflow():
    program = (
        "import sys; from incorta_provider.provider_info import get_provider_info; get_provider_info(); "
        "print([name for name in sys.modules if name.partition('.')[0] == 'airflow'])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_every_module_of_a_building_block_is_named():
    """A hook, operator or sensor that is forgotten here is not found by people who look for it."""
    package = Path(__file__).parents[2] / "incorta_provider"
    for kind in ("hooks", "operators", "sensors"):
        named = {name for entry in get_provider_info()[kind] for name in entry["python-modules"]}
        shared = {"__init__", "base", "connections", "links", "readiness"}
        there = {path.stem for path in (package / kind).glob("*.py")} - shared
        assert named == {f"incorta_provider.{kind}.{name}" for name in there}


def test_every_named_module_holds_what_it_is_named_for(airflow):
    kinds = {"hooks": "BaseHook", "operators": "BaseOperator", "sensors": "BaseSensorOperator"}
    for kind, base in kinds.items():
        for name, classes in airflow["named"][kind].items():
            assert set(classes.values()) == {base}, name


def test_airflow_finds_the_hook_of_each_connection_type(airflow):
    assert airflow["hooks"] == {
        entry["connection-type"]: [entry["hook-class-name"], entry["hook-name"], True]
        for entry in get_provider_info()["connection-types"]
    }


def test_the_forms_show_every_field(airflow):
    for entry in get_provider_info()["connection-types"]:
        form = airflow["forms"][entry["connection-type"]]
        assert form["hook_name"] == entry["hook-name"]
        assert set(form["extra_fields"] or {}) == set(entry.get("conn-fields", {}))


def test_a_token_is_masked_and_a_scheme_is_chosen(airflow):
    fields = airflow["forms"]["incorta_analytics"]["extra_fields"]
    assert fields["token"]["schema"]["format"] == "password"
    assert fields["scheme"]["schema"]["enum"] == ["https", "http"]
    assert fields["scheme"]["value"] == "https"
    assert fields["verify"]["value"] is True


def test_fields_that_mean_something_else_are_labelled(airflow):
    zookeeper = airflow["forms"]["incorta_zookeeper"]["standard_fields"]
    assert zookeeper["host"]["title"] == "Members"
    assert zookeeper["url_schema"]["hidden"] is True
    assert airflow["forms"]["incorta_analytics"]["standard_fields"]["url_schema"]["title"] == "Tenant"


def test_links_and_configuration_are_known(airflow):
    assert airflow["links"] == ["Recovery point", "Cutover report"]
    assert airflow["topology"] == ""
