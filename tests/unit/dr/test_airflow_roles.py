"""Three roles: who triggers cannot answer, who answers cannot trigger, and nobody may edit what proves it."""

from __future__ import annotations

import itertools
import shlex
from collections import defaultdict
from pathlib import Path

import pytest

from incorta_provider.cli import main
from incorta_provider.dr.airflow_roles import APPROVER, OPERATOR, ROLES, VIEWER, role_script
from incorta_provider.dr.topology import Topology
from tests.builders.group import topology_document, write_topology


@pytest.fixture
def granted(tmp_path: Path) -> dict[str, set[tuple[str, str]]]:
    """Return the permissions of each role, as the script's own words say them."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for line in role_script(Topology.model_validate(topology_document(tmp_path)).groups):
        words = shlex.split(line)
        if words[:3] == ["airflow", "roles", "add-perms"] or words[:1] == ["known"]:
            names = words[3:] if words[0] == "airflow" else words[1:]
            roles = list(itertools.takewhile(lambda word: word != "--resource", names))
            resources = names[len(roles) + 1 : names.index("--action")]
            for role, resource in itertools.product(roles, resources):
                found[role].add((names[-1], resource))
    return found


def test_only_the_operator_triggers_and_only_the_approver_answers(granted: dict[str, set[tuple[str, str]]]) -> None:
    assert set(granted) == set(ROLES)
    trigger, answer = ("can_create", "DAG Run:incorta_dr_cutover__acme"), ("can_edit", "HITL Detail")
    assert [role for role in ROLES if trigger in granted[role]] == [OPERATOR]
    assert [role for role in ROLES if answer in granted[role]] == [APPROVER]


def test_nobody_edits_what_a_cutover_is_judged_by(granted: dict[str, set[tuple[str, str]]]) -> None:
    allowed = {("can_edit", "HITL Detail"), ("can_edit", "DAG:incorta_dr_cutover__acme")}
    allowed.add(("can_create", "DAG Run:incorta_dr_cutover__acme"))
    for role in ROLES:
        beyond_reading = {each for each in granted[role] if each[0] not in ("can_read", "menu_access")}
        assert beyond_reading <= allowed
    assert {action for action, _ in granted[VIEWER]} == {"can_read", "menu_access"}


def test_who_looks_sees_the_dags_of_the_group_and_no_others(granted: dict[str, set[tuple[str, str]]]) -> None:
    dags = {resource for action, resource in granted[VIEWER] if action == "can_read" and resource.startswith("DAG:")}
    assert dags == {
        "DAG:incorta_dr_cutover__acme",
        "DAG:incorta_watch__acme",
        *(
            f"DAG:incorta_{kind}__acme__{site}"
            for kind in ("replication", "maintenance")
            for site in ("berlin", "newyork")
        ),
    }
    assert not {resource for _, resource in granted[VIEWER]} & {"Connections", "Variables", "Configurations"}


def test_the_command_prints_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(write_topology(tmp_path)))
    assert main(["roles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["#!/bin/sh", "set -eu"]
    assert "airflow roles create 'Incorta DR viewer' 'Incorta DR operator' 'Incorta DR approver'" in lines
