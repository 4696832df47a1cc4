"""Who may do what in Airflow: the roles of people, as Airflow's FAB auth manager has them. Pure.

Nobody has all that a cutover takes: the operator triggers and may not answer, the approver answers and may not trigger,
and neither may edit task instances, XComs or runs. FAB's own roles *User*, *Op* and *Admin* may: who has one of them
besides needs no role of ours. Source: ``airflow/providers/fab/www/security/permissions.py`` of FAB 3.10, tried with
Airflow 3.3.2.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from incorta_provider.dr.topology import Group

VIEWER, OPERATOR, APPROVER = "Incorta DR viewer", "Incorta DR operator", "Incorta DR approver"
ROLES = (VIEWER, OPERATOR, APPROVER)

_READ = ("Website", "DAG Runs", "Task Instances", "Task Logs", "HITL Detail", "XComs", "DAG Versions")
_MENUS = ("DAGs", "DAG Runs", "Task Instances", "HITL Detail", "Browse", "Documentation")

_TOLERANT = """\
known() { airflow roles add-perms "$@" || echo "not granted, Airflow does not know that DAG yet: $*" >&2; }"""


def role_script(groups: Mapping[str, Group]) -> list[str]:
    """Return the lines of a shell script that makes the roles, for where ``airflow`` runs. Safe to repeat.

    A DAG has permissions of its own only once Airflow has read it; what the script could not grant yet, it says.
    """
    return [
        "#!/bin/sh",
        "set -eu",
        _TOLERANT,
        *_for_all(),
        *(line for name in groups for line in _for_group(name, groups)),
    ]


def _for_all() -> Iterator[str]:
    yield f"airflow roles create {_words(*ROLES)}"
    yield "airflow sync-perm --include-dags"
    yield _grant(ROLES, _READ, "can_read")
    yield _grant(ROLES, _MENUS, "menu_access")
    yield _grant((APPROVER,), ("HITL Detail",), "can_edit")


def _for_group(name: str, groups: Mapping[str, Group]) -> Iterator[str]:
    cutover = f"incorta_dr_cutover__{name}"
    yield _grant(ROLES, (f"DAG:{cutover}", f"DAG Run:{cutover}", f"DAG:incorta_watch__{name}"), "can_read")
    yield _grant((OPERATOR, APPROVER), (f"DAG:{cutover}",), "can_edit")
    yield _grant((OPERATOR,), (f"DAG Run:{cutover}",), "can_create")
    for site in groups[name].sites:
        for kind in ("replication", "maintenance"):
            grant = _grant(ROLES, (f"DAG:incorta_{kind}__{name}__{site}",), "can_read")
            yield grant.replace("airflow roles add-perms", "known", 1)


def _grant(roles: tuple[str, ...], resources: tuple[str, ...], action: str) -> str:
    return f"airflow roles add-perms {_words(*roles)} --resource {_words(*resources)} --action {action}"


def _words(*words: str) -> str:
    return shlex.join(words)
