"""What would make a restore at a database fail, or its result behave in another way: found before it is needed."""

from __future__ import annotations

from incorta_provider.dr.inventory import Inventory
from incorta_provider.exceptions import DrError
from incorta_provider.metadata.comparison import missing_definers
from incorta_provider.metadata.definitions import read_server
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.switch import ensure_nothing_refers


def database_problem(endpoint: Endpoint) -> str | None:
    """Return why nothing could be restored to a database now; None when it can be."""
    try:
        endpoint.ensure_rights()
        with endpoint.connect_to(None) as session, translated(endpoint.label), session.cursor() as cursor:
            cursor.execute("SELECT @@GLOBAL.read_only")
            (read_only,) = cursor.fetchone() or (0,)
            ensure_nothing_refers(session, endpoint.schema, endpoint.label)
    except DrError as error:
        return str(error)
    return f"the server is read-only [{endpoint.label}]" if read_only else None


def restore_findings(endpoint: Endpoint, inventory: Inventory) -> list[str]:
    """Return what is not at the endpoint's server as it was at the inventory's.

    :raises DrError: the server cannot be asked.
    """
    with endpoint.connect_to(None) as session, translated(endpoint.label):
        findings = [str(difference) for difference in missing_definers(session, inventory)]
        findings += _creator_findings(session, inventory)
        here = read_server(session)
    there = inventory.server
    if _release(here.version) != _release(there.version):
        findings.append(f"server version: the source has {there.version}, this one {here.version}")
    for name in ("sql_mode", "lower_case_table_names"):
        if getattr(there, name) != getattr(here, name):
            findings.append(f"{name}: the source has {getattr(there, name)!r}, this one {getattr(here, name)!r}")
    return findings


def _creator_findings(session: Session, inventory: Inventory) -> list[str]:
    """With a binary log, a server takes functions and triggers only from trusted accounts (error 1419)."""
    with session.cursor() as cursor:
        cursor.execute("SELECT @@log_bin AND NOT @@log_bin_trust_function_creators")
        (distrusts,) = cursor.fetchone() or (0,)
    if distrusts and (inventory.routines or inventory.triggers):
        return ["log_bin_trust_function_creators is off: functions and triggers would be refused"]
    return []


def _release(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])
