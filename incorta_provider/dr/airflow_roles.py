"""Who may do what in Airflow: the roles of people, as Airflow's FAB auth manager has them. Pure.

Nobody has all that a cutover takes: the operator triggers and may not answer, the approver answers and may not trigger,
and neither may edit task instances, XComs or runs. FAB's own roles *User*, *Op* and *Admin* may: who has one of them
besides needs no role of ours. Source: ``airflow/providers/fab/www/security/permissions.py`` of FAB 3.10, tried with
Airflow 3.3.2.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

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
    cutovers = [f"incorta_dr_cutover__{name}" for name in groups]
    shown = [f"DAG:{dag}" for dag in (*cutovers, *(f"incorta_watch__{name}" for name in groups))]
    edited = [f"DAG:{dag}" for dag in cutovers]
    runs = [f"DAG Run:{dag}" for dag in cutovers]
    return [
        "#!/bin/sh",
        "set -eu",
        _TOLERANT,
        f"airflow roles create {shlex.join(ROLES)}",
        "airflow sync-perm --include-dags",
        _grant(ROLES, [*_READ, *shown, *runs], "can_read"),
        _grant(ROLES, _MENUS, "menu_access"),
        _grant([OPERATOR], edited, "can_edit"),
        _grant([OPERATOR], runs, "can_create"),
        _grant([APPROVER], [*edited, "HITL Detail"], "can_edit"),
        *(_of_site(name, site) for name, group in groups.items() for site in group.sites),
    ]


def _of_site(group: str, site: str) -> str:
    kinds = ("replication", "maintenance")
    grant = _grant(ROLES, [f"DAG:incorta_{kind}__{group}__{site}" for kind in kinds], "can_read")
    return grant.replace("airflow roles add-perms", "known", 1)


def _grant(roles: Sequence[str], resources: Sequence[str], action: str) -> str:
    return f"airflow roles add-perms {shlex.join(roles)} --resource {shlex.join(resources)} --action {action}"
