"""The way home of a MySQL whose site was fenced: the fence must leave the accounts of a replica what they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.exceptions import PreconditionError
from incorta_provider.metadata import rights
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.fencing import fence_mark, fence_schema, unfence_schema
from incorta_provider.metadata.replica.accounts import ensure_confined, lacking_of_applier, lacking_rights
from incorta_provider.metadata.replica.point import ReplicaPair
from incorta_provider.metadata.replica.take_over import take_over
from tests.integration.metadata_engines.replicas import (
    ACCOUNT,
    APPLIER,
    at_server,
    inventory_of,
    point,
    set_up_from_source,
)

pytestmark = pytest.mark.mysql

FENCER, APP, PASSWORD = "'fencer'@'127.0.0.1'", "'app'@'127.0.0.1'", "of both"
MARK = FenceMark(group="acme", run_id="manual__1", by="hana", at=datetime(2026, 11, 25, 12, tzinfo=UTC))


@pytest.fixture
def fencers(primary: Any, there: Any) -> Iterator[list[Endpoint]]:
    """The account that fences, at both servers, and Incorta's, which it locks."""
    made = []
    for place in (primary, there):
        schema, engine = place.endpoint.schema, place.endpoint.engine()
        at_server(
            place.server,
            *(f"CREATE USER {account} IDENTIFIED BY '{PASSWORD}'" for account in (FENCER, APP)),
            f"GRANT ALL ON `{schema}`.* TO {APP}",
            *rights.statements(FENCER, schema, engine),
            *(grant.statement(FENCER) for grant in rights.fence_grants(engine)),
        )
        made.append(dataclasses.replace(place.endpoint, user="fencer", password=PASSWORD))
    yield made
    for place in (primary, there):
        at_server(
            place.server,
            "SET PERSIST read_only = OFF",
            "RESET PERSIST IF EXISTS read_only",
            "DROP DATABASE IF EXISTS `_dr_fence`",
            f"DROP USER IF EXISTS {FENCER}, {APP}",
        )


def locked(server: Any, account: str) -> bool:
    user, host = (part.strip("'") for part in account.split("@"))
    query = f"SELECT account_locked FROM mysql.user WHERE User = '{user}' AND Host = '{host}'"
    return at_server(server, query) == (("Y",),)


def write_as_app(endpoint: Endpoint) -> None:
    with closing(dataclasses.replace(endpoint, user="app").connect()) as session, session.cursor() as cursor:
        cursor.execute("INSERT INTO empty_one VALUES (77)")


def test_a_primary_that_came_back_and_was_fenced_is_set_up_kept_and_taken_over(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path, fencers: list[Endpoint]
) -> None:
    home, away = fencers
    assert take_over(there.endpoint, replica.replica_account, point(replica, folder))
    nasty.run("INSERT INTO empty_one VALUES (7)")
    found = fence_schema(home, MARK, login="app")
    assert "app@127.0.0.1" in found.accounts
    assert found.read_only == "on"
    assert not locked(nasty.server, ACCOUNT)
    with pytest.raises(PreconditionError, match="the account is locked"):
        write_as_app(home)

    back = ReplicaPair(away, replica.replica_account, home, replica.source_account)
    assert set_up_from_source(back, folder), "what was lost is replaced"
    write_as_app(away)
    assert point(back, folder).tables["empty_one"].rows == 1

    fence_schema(away, MARK, login="app")
    assert take_over(home, back.replica_account, inventory_of(folder))
    mark = unfence_schema(home, events=False)
    assert mark is not None
    assert ("app", "127.0.0.1") in mark.accounts
    assert ("incorta_dr_applier", "localhost") not in mark.accounts, "it was locked before"
    assert locked(nasty.server, APPLIER)
    assert fence_mark(home) is None
    assert nasty.run("SELECT a FROM empty_one") == ((77,),)
    nasty.run("DELETE FROM empty_one")
    write_as_app(home)


def test_what_is_asked_of_the_accounts_is_answered_behind_a_fence(
    primary: Any, pair: ReplicaPair, fencers: list[Endpoint]
) -> None:
    fence_schema(fencers[0], MARK, login="app")
    assert lacking_rights(pair.source_account) == (ACCOUNT, [])
    assert lacking_of_applier(fencers[0]) == (APPLIER, [])
    ensure_confined(fencers[0], pair.source_account)
