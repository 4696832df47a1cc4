"""A MySQL server as a replica that is held between recovery points: set up, at each point exactly, taken over."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.replica import ReplicaState, lacking, problems
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError, TransientError
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.member import catch_up
from incorta_provider.metadata.prove import prove
from incorta_provider.metadata.replica import advance as advance_module
from incorta_provider.metadata.replica.accounts import lacking_of_applier, lacking_rights
from incorta_provider.metadata.replica.channel import tables_of_schema
from incorta_provider.metadata.replica.equal import replica_differences
from incorta_provider.metadata.replica.opening import channel_at
from incorta_provider.metadata.replica.point import ReplicaPair, dump_at_replica
from incorta_provider.metadata.replica.set_up import set_up
from incorta_provider.metadata.replica.take_over import take_over
from incorta_provider.metadata.rights import Grant, applier_grants, replica_grants
from incorta_provider.metadata.snapshot import position_now
from incorta_provider.metadata.tls import Mode, Tls
from lab.layout import Lab
from lab.servers.server import start_all
from lab.supervisor import Supervisor
from tests.integration.metadata.test_replica import PROGRAM
from tests.integration.metadata_engines.replicas import (
    ACCOUNT,
    APPLIER,
    at_server,
    inventory_of,
    point,
    set_up_from_source,
    writing,
)

pytestmark = pytest.mark.mysql


def test_a_point_is_a_state_of_the_source_that_goes_on_meanwhile(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    with writing(nasty) as committed:
        for _ in range(3):
            before = len(committed)
            counted = point(replica, folder)
            rows = counted.tables["parent"].rows
            assert rows >= before
            assert there.run("SELECT COUNT(*) FROM parent") == ((rows,),), "nothing is applied between two points"
            assert prove(there.endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="replica") == []
    assert replica_differences(there.endpoint, counted) == []
    assert counted.events["every_second"].status == "ENABLED", "as it is at the source"
    assert counted.gtid


def test_definitions_follow_as_rows_do(nasty: Any, there: Any, replica: ReplicaPair, folder: Path) -> None:
    nasty.run(
        "ALTER TABLE no_key ADD COLUMN more INT DEFAULT 7",
        "DELETE FROM no_key WHERE b = 'same' LIMIT 2",
        "CREATE TABLE made (id INT PRIMARY KEY, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
        "INSERT INTO made (id) VALUES (1)",
        "CREATE TRIGGER made_one BEFORE INSERT ON made FOR EACH ROW SET NEW.id = NEW.id + 100",
        "INSERT INTO made (id) VALUES (2)",
        "CREATE OR REPLACE VIEW b_first AS SELECT id, 'new' AS loud FROM made",
        "DROP PROCEDURE `do it`",
        "CREATE FUNCTION twice(a INT) RETURNS INT DETERMINISTIC RETURN 2 * a",
        "ALTER EVENT every_second ON SCHEDULE EVERY 2 SECOND",
        "CREATE EVENT later ON SCHEDULE EVERY 1 DAY DO SET @x = 1",
        "CREATE TABLE copied AS SELECT * FROM made",
        "CREATE INDEX by_b ON no_key (b)",
        "TRUNCATE TABLE empty_one",
        "RENAME TABLE selfish TO renamed",
        "DROP TABLE parted",
        "ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
    )
    point(replica, folder)
    assert there.run("SELECT id FROM made ORDER BY id") == ((1,), (102,)), "a trigger runs at the source alone"
    ran = there.run(
        "SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() AND STATUS = 'ENABLED'"
    )
    assert ran == ((0,),)


def test_what_somebody_wrote_at_the_replica_voids_the_point(there: Any, replica: ReplicaPair, folder: Path) -> None:
    there.run("INSERT INTO empty_one VALUES (99)")
    with pytest.raises(IntegrityError, match=r"from its source in 1 place\(s\):\n.*`empty_one`: .*found 1"):
        point(replica, folder)
    assert not (folder / INVENTORY_FILE).exists()
    assert not (folder / DUMP_FILE).exists()


def test_a_row_that_cannot_be_applied_is_told_in_the_servers_words(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    there.run("INSERT INTO empty_one VALUES (5)")
    nasty.run("INSERT INTO empty_one VALUES (5)")
    with pytest.raises(TransientError, match=r"the replica cannot be used: .*Duplicate entry '5'"):
        point(replica, folder)
    there.run("DELETE FROM empty_one")
    assert point(replica, folder).tables["empty_one"].rows == 1, "it goes on once that is mended"


def test_a_replica_that_does_not_get_there_in_time_goes_that_far_and_no_further(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    with there.server.connect(there.endpoint.schema) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES empty_one WRITE")
        nasty.run("INSERT INTO empty_one VALUES (1)", "INSERT INTO no_key VALUES (1, 'x')")
        with pytest.raises(TransientError, match=r"in time; \d+ transaction\(s\) are not applied"):
            point(replica, folder, seconds=0.5)
        nasty.run("INSERT INTO empty_one VALUES (2)")
        cursor.execute("UNLOCK TABLES")
    deadline = time.monotonic() + 60
    while there.run("SELECT COUNT(*) FROM no_key WHERE b = 'x'") != ((1,),):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert there.run("SELECT a FROM empty_one") == ((1,),), "no further than that point"
    assert point(replica, folder).tables["empty_one"].rows == 2


def test_a_replica_at_the_point_is_taken_over_and_cut_off(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    nasty.run("INSERT INTO empty_one VALUES (1)")
    counted = point(replica, folder)
    nasty.run("INSERT INTO empty_one VALUES (2)")
    for _ in range(2):
        assert take_over(there.endpoint, replica.replica_account, counted)
    with channel_at(replica.replica_account) as channel:
        assert channel.state() is None
    assert there.run("SELECT a FROM empty_one") == ((1,),)
    there.run("INSERT INTO empty_one VALUES (2)")
    assert not take_over(there.endpoint, replica.replica_account, counted), "by full comparison"


def test_a_replica_that_is_past_the_point_is_cut_off_and_not_taken(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    first = point(replica, folder)
    nasty.run("INSERT INTO empty_one VALUES (1)")
    point(replica, folder)
    assert not take_over(there.endpoint, replica.replica_account, first)
    with channel_at(replica.replica_account) as channel:
        assert channel.state() is None


def test_a_replica_is_set_up_again_without_a_restore_where_it_is_at_the_point(
    replica: ReplicaPair, folder: Path
) -> None:
    report = dump_at_replica(replica, folder, wait_seconds=30)
    again = (replica, folder / DUMP_FILE, inventory_of(folder), folder / "setup")
    assert not set_up(*again, sha256=report.sha256)
    point(replica, folder)


def test_the_roles_change_and_each_server_follows_the_other_from_where_it_is(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    """Nothing has to be forgotten: what a server lost with its role was written by itself."""
    assert take_over(there.endpoint, replica.replica_account, point(replica, folder))
    nasty.run("INSERT INTO empty_one VALUES (7)")
    there.run("INSERT INTO empty_one VALUES (1)")
    back = ReplicaPair(replica.replica, replica.replica_account, replica.source, replica.source_account)
    assert set_up_from_source(back, folder), "what was lost is replaced"
    there.run("INSERT INTO empty_one VALUES (2)")
    assert point(back, folder).tables["empty_one"].rows == 2
    assert nasty.run("SELECT a FROM empty_one") == ((1,), (2,))
    assert take_over(back.replica, back.replica_account, inventory_of(folder))
    nasty.run("INSERT INTO empty_one VALUES (3)")
    assert set_up_from_source(replica, folder)
    nasty.run("INSERT INTO empty_one VALUES (4)")
    assert point(replica, folder).tables["empty_one"].rows == 4


def test_an_older_point_is_refused_until_somebody_lets_the_server_forget(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    sha256 = dump(nasty.endpoint, old).sha256
    nasty.run("INSERT INTO empty_one VALUES (1)")
    point(replica, folder)
    arguments = (replica, old / DUMP_FILE, inventory_of(old), old / "setup")
    with pytest.raises(PreconditionError, match=r"transactions that the recovery point does not hold: \S+:\d+") as told:
        set_up(*arguments, sha256=sha256)
    assert "RESET BINARY LOGS AND GTIDS at this server" in told.value.fix
    assert there.run("SELECT a FROM empty_one") == ((1,),), "nothing was changed"
    nasty.run("INSERT INTO empty_one VALUES (2)")
    assert point(replica, folder).tables["empty_one"].rows == 2, "and it is a replica as before"
    at_server(there.server, "RESET BINARY LOGS AND GTIDS")
    assert set_up(*arguments, sha256=sha256)
    assert there.run("SELECT a FROM empty_one") == ()
    assert point(replica, folder).tables["empty_one"].rows == 2


def test_a_point_of_a_server_that_does_not_count_is_refused(nasty: Any, pair: ReplicaPair, folder: Path) -> None:
    report = dump(nasty.endpoint, folder)
    inventory = inventory_of(folder).model_copy(update={"gtid": ""})
    with pytest.raises(PreconditionError, match=r"does not say where .*gtid_mode = ON"):
        set_up(pair, folder / DUMP_FILE, inventory, folder / "setup", sha256=report.sha256)


@pytest.mark.parametrize("what", ["password", "log"])
def test_a_source_that_gives_nothing_is_told_in_the_servers_words(
    what: str, nasty: Any, pair: ReplicaPair, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advance_module, "CONNECT_SECONDS", 2)
    said = "Access denied"
    if what == "password":
        pair = replace(pair, source_account=replace(pair.source_account, password="wrong"))
    report = dump(nasty.endpoint, folder)
    if what == "log":
        said = "purged"
        nasty.run("INSERT INTO empty_one VALUES (1)")
        at_server(nasty.server, "FLUSH BINARY LOGS")
        ((log, *_),) = at_server(nasty.server, "SHOW BINARY LOG STATUS")
        at_server(nasty.server, f"PURGE BINARY LOGS TO '{log}'")
    with pytest.raises(TransientError, match=f"the replica cannot be used: .*{said}"):
        set_up(pair, folder / DUMP_FILE, inventory_of(folder), folder / "setup", sha256=report.sha256)


@pytest.mark.parametrize(
    ("account", "given", "told"),
    [
        (APPLIER, "CREATE USER, EVENT ON *.*", "CREATE USER, EVENT ON"),
        (APPLIER, "ALL ON `%`.*", "ON `%`"),
        (APPLIER, "INSERT ON `mysql`.*", "INSERT ON `mysql`"),
        (APPLIER, "ALL ON `other`.*", "ON `other`"),
        (APPLIER, "INSERT (User) ON mysql.db", "INSERT (`User`) ON `mysql`.`db`"),
        (APPLIER, "wide_role", "`wide_role`@`%`"),
        (ACCOUNT, "INSERT ON `{schema}`.*", "INSERT ON"),
        (ACCOUNT, "SET_ANY_DEFINER ON *.*", "SET_ANY_DEFINER"),
    ],
)
def test_accounts_that_may_do_more_are_refused_also_when_they_may_since_the_set_up(
    account: str, given: str, told: str, primary: Any, there: Any, pair: ReplicaPair, folder: Path
) -> None:
    """What passes MySQL's filters is applied with the rights of the one; the other one's password is at both sites."""
    set_up_from_source(pair, folder)
    at_server(there.server, "CREATE ROLE IF NOT EXISTS wide_role")
    at_server(there.server, f"GRANT {given.format(schema=primary.endpoint.schema)} TO {account}")
    for try_it in (set_up_from_source, point):
        with pytest.raises(ConfigurationError, match=re.escape(told)):
            try_it(pair, folder)
    at_server(there.server, "DROP ROLE wide_role")


@pytest.mark.parametrize(
    ("done", "told", "fix"),
    [
        (f"DROP USER {APPLIER}", "does not exist", f"CREATE USER {APPLIER} ACCOUNT LOCK"),
        (f"ALTER USER {APPLIER} ACCOUNT UNLOCK", "is not locked", f"ALTER USER {APPLIER} ACCOUNT LOCK"),
        (f"REVOKE SET_ANY_DEFINER ON *.* FROM {APPLIER}", "lacks rights", f"SET_ANY_DEFINER ON *.* TO {APPLIER}"),
    ],
)
def test_the_account_that_applies_is_there_is_locked_and_has_its_rights(
    done: str, told: str, fix: str, there: Any, pair: ReplicaPair, folder: Path
) -> None:
    at_server(there.server, done)
    with pytest.raises(ConfigurationError, match=told) as caught:
        set_up_from_source(pair, folder)
    assert fix in caught.value.fix


def test_a_password_that_was_changed_at_the_source_is_in_no_message(
    nasty: Any, replica: ReplicaPair, folder: Path
) -> None:
    at_server(nasty.server, "CREATE USER IF NOT EXISTS changed@'%' IDENTIFIED BY 'before'")
    nasty.run("ALTER USER changed@'%' IDENTIFIED BY 'new-secret'")
    with pytest.raises(TransientError, match=r"failed executing transaction '\S+:\d+' .*denied") as told:
        point(replica, folder)
    assert not re.search(r"IDENTIFIED|\$A\$|Query", str(told.value))
    at_server(nasty.server, "DROP USER changed@'%'")


def test_a_source_that_went_back_is_told_at_once(nasty: Any, replica: ReplicaPair, folder: Path) -> None:
    """However long may be waited."""
    counted = point(replica, folder)
    ((uuid,),) = nasty.run("SELECT @@server_uuid")
    (source,) = (part for part in counted.gtid.split(",") if part.startswith(uuid))
    before, _, last = source.rpartition("-")
    back = counted.model_copy(update={"gtid": counted.gtid.replace(source, f"{before}-{int(last) - 3}")})
    with pytest.raises(TransientError, match=r"past the source's \S+: it has to be set up again"):
        advance_module.advance(replica.replica_account, back, wait_seconds=100_000)
    with channel_at(replica.replica_account) as channel:
        state = channel.state()
    assert state is not None
    assert not state.applying


def test_a_replica_is_cut_off_also_by_an_account_that_may_not_read_what_is_wrong(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    counted = point(replica, folder)
    there.run("INSERT INTO empty_one VALUES (5)")
    nasty.run("INSERT INTO empty_one VALUES (5)")
    with pytest.raises(TransientError, match="Duplicate entry"):
        point(replica, folder)
    (status,) = there.endpoint.engine().replica_tables
    at_server(there.server, f"REVOKE SELECT ON {status} FROM {ACCOUNT}")
    with pytest.raises(ConfigurationError, match="lacks a right"), channel_at(replica.replica_account) as channel:
        channel.state()
    assert not take_over(there.endpoint, replica.replica_account, counted)
    with channel_at(replica.replica_account) as channel:
        assert channel.state() is None


@pytest.mark.parametrize(
    ("mode", "ca", "refused"),
    [
        (Mode.REQUIRED, "", ""),
        (Mode.VERIFY_CA, "its own", ""),
        (Mode.VERIFY_CA, "another", "SSL connection error"),
        (Mode.VERIFY_IDENTITY, "its own", "SSL connection error"),
    ],
)
def test_the_replica_asks_of_its_source_what_we_ask(
    mode: Mode, ca: str, refused: str, mysql_pair: Any, primary: Any, pair: ReplicaPair, folder: Path, monkeypatch: Any
) -> None:
    """The certificates are those that MySQL makes for itself, whose name is not the host's."""
    monkeypatch.setattr(advance_module, "CONNECT_SECONDS", 5)
    at_server(primary.server, f"ALTER USER {ACCOUNT} REQUIRE SSL")
    server = {"its own": primary.server, "another": mysql_pair.dr}.get(ca)
    tls = Tls(mode, str(server.folder / "data" / "ca.pem") if server else "")
    asking = replace(pair, source_account=replace(pair.source_account, tls=tls))
    with pytest.raises(TransientError, match=f"cannot be used: .*{refused}") if refused else nullcontext():
        set_up_from_source(asking, folder)
    at_server(primary.server, f"ALTER USER {ACCOUNT} REQUIRE NONE")


def test_the_state_says_how_far_it_is_and_what_is_wrong(
    primary: Any, there: Any, pair: ReplicaPair, folder: Path
) -> None:
    primary.run("CREATE TABLE t (a INT PRIMARY KEY)")
    set_up_from_source(pair, folder)
    primary.run("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)")

    def state() -> ReplicaState:
        with channel_at(pair.replica_account) as channel:
            found = channel.state()
        assert found is not None
        return found

    def wrong() -> list[str]:
        source = f"{primary.server.host}:{primary.server.port}"
        return problems(state(), source=source, tables=tables_of_schema(primary.endpoint.schema))

    deadline = time.monotonic() + 60
    while lacking(state().received, position_now(pair.source)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert lacking(state().applied, state().received) == 3
    assert wrong() == []
    at_server(there.server, "CHANGE REPLICATION FILTER REPLICATE_DO_DB = () FOR CHANNEL 'incorta_dr'")
    pattern = tables_of_schema(primary.endpoint.schema)
    assert wrong() == [f"it takes the tables {pattern} and the statements of all schemas instead of {pattern}"]
    at_server(there.server, "STOP REPLICA IO_THREAD FOR CHANNEL 'incorta_dr'")
    assert "it is not connected to the source" in wrong()
    assert point(pair, folder).tables["t"].rows == 3, "the next point sets right what it can"
    assert wrong() == []


def test_a_server_that_replicates_something_else_is_left_alone(
    nasty: Any, there: Any, pair: ReplicaPair, folder: Path
) -> None:
    at_server(there.server, "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1' FOR CHANNEL 'theirs'")
    try:
        with pytest.raises(PreconditionError, match="replicates already: theirs"):
            set_up_from_source(pair, folder)
    finally:
        at_server(there.server, "RESET REPLICA ALL FOR CHANNEL 'theirs'")


def test_each_right_that_is_missing_is_named(there: Any, pair: ReplicaPair) -> None:
    engine, asked = there.endpoint.engine(), partial(lacking_rights, pair.replica_account)
    applier = partial(lacking_of_applier, there.endpoint)
    both = [(ACCOUNT, asked, replica_grants(engine)), (APPLIER, applier, applier_grants(there.endpoint.schema, engine))]
    for account, lacks, grants in both:
        for grant in grants:
            for right in grant.rights:
                assert lacks() == (account, [])
                at_server(there.server, f"REVOKE {right} ON {grant.place} FROM {account}")
                assert lacks() == (account, [Grant((right,), grant.place)])
                at_server(there.server, Grant((right,), grant.place).statement(account))


def test_a_dump_at_a_member_is_as_new_as_the_primary(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    """The replica as a member of a cluster: it applies all the time, and nobody writes there."""
    with pytest.raises(ConfigurationError, match="no dump is made at this member: it takes writes"):
        catch_up(nasty.endpoint, there.endpoint)
    at_server(there.server, "SET GLOBAL read_only = 1", "START REPLICA SQL_THREAD FOR CHANNEL 'incorta_dr'")
    try:
        for number in (1, 2):
            nasty.run(f"INSERT INTO empty_one VALUES ({number})")
            catch_up(nasty.endpoint, there.endpoint)
            dump(there.endpoint, folder)
            assert inventory_of(folder).tables["empty_one"].rows == number
    finally:
        at_server(there.server, "SET GLOBAL read_only = 0")


@pytest.mark.parametrize("moment", ["counted", "applying", "applied", "dumped"])
def test_a_point_that_was_killed_is_made_again_from_wherever_the_replica_is(
    moment: str, nasty: Any, there: Any, replica: ReplicaPair, folder: Path
) -> None:
    nasty.run("INSERT INTO empty_one VALUES (1)")
    fields = [dataclasses.asdict(getattr(replica, each.name)) for each in dataclasses.fields(replica)]
    order = json.dumps([fields, str(folder), moment])
    ended = subprocess.run([sys.executable, "-c", PROGRAM], input=order, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    nasty.run("INSERT INTO empty_one VALUES (2)")
    counted = point(replica, folder)
    assert counted.tables["empty_one"].rows == 2
    assert take_over(there.endpoint, replica.replica_account, counted)


def test_a_server_that_was_restarted_is_held_again_by_the_next_point(
    nasty: Any, there: Any, replica: ReplicaPair, folder: Path, lab_layout: Lab
) -> None:
    """It goes on by itself, and without the filters: told by its state, and set right."""
    Supervisor(lab_layout).kill(there.server.name)
    start_all([there.server], Supervisor(lab_layout))
    nasty.run("INSERT INTO empty_one VALUES (1)")
    with channel_at(replica.replica_account) as channel:
        state = channel.state()
    assert state is not None
    source = f"{replica.source_account.host}:{replica.source_account.port}"
    assert any("its server was restarted" in told for told in problems(state, source=source, tables="x"))
    assert point(replica, folder).tables["empty_one"].rows == 1
    with channel_at(replica.replica_account) as channel:
        held = channel.state()
    assert held is not None
    assert (held.applying, held.tables) == (False, tables_of_schema(nasty.endpoint.schema))
