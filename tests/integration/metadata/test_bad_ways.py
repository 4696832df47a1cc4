"""A connection that is cut, a disk that is full, a table with nothing to tell its rows apart."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.metadata.comparison import compare_schemas, differences, take_inventory
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.restore import replace_schema
from lab.passwords import passwords
from lab.servers.mariadb import MariaDb
from lab.servers.server import start_all
from lab.supervisor import Supervisor
from lab.testbed import borrowed
from tests.builders.disks import mounted, remount
from tests.builders.lab_state import STATE
from tests.builders.tcp_cut import way_that_is_cut
from tests.integration.metadata.conftest import made_place, removed_place

pytestmark = pytest.mark.lab

ROWS = 60_000


@pytest.fixture
def large(primary: Any) -> Any:
    """A schema of some megabytes."""
    primary.run(
        "CREATE TABLE large (id INT PRIMARY KEY, v VARCHAR(100), at TIMESTAMP NOT NULL DEFAULT '2024-03-31 01:30:00')",
        f"INSERT INTO large (id, v) SELECT seq, CONCAT(MD5(seq), MD5(seq + 1)) FROM seq_1_to_{ROWS}",
        "CREATE TABLE zz_last (a INT PRIMARY KEY)",
        "INSERT INTO zz_last VALUES (1)",
    )
    return primary


def nobody_is_left(place: Any) -> None:
    """Wait until the server has let go of the sessions that were cut."""
    query = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'dr_reader'"
    deadline = time.monotonic() + 60
    while place.run(query) != ((0,),):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("after", [1_000_000, 3_000_000])
def test_a_connection_that_is_cut_in_a_dump_leaves_nothing_that_looks_like_one(
    after: int, large: Any, folder: Path
) -> None:
    with way_that_is_cut(large.server.host, large.server.port, after=after) as way:
        endpoint = replace(large.endpoint, host="127.0.0.1", port=way.port)
        with pytest.raises(TransientError):
            dump(endpoint, folder)
        assert way.is_cut
    assert list(folder.iterdir()) == []
    nobody_is_left(large)
    assert dump(large.endpoint, folder).rows == ROWS + 1


@pytest.mark.parametrize("after", [30_000, 1_000_000, 3_000_000])
def test_a_connection_that_is_cut_in_a_restore_is_not_taken_up_without_its_settings(
    after: int, large: Any, dr: Any, folder: Path
) -> None:
    """A client that connected anew would go on in its own time zone and sql_mode, with the rows between lost."""
    report = dump(large.endpoint, folder)
    inventory = read_inventory(folder / INVENTORY_FILE)
    dr.run("CREATE TABLE precious (a INT PRIMARY KEY)", "INSERT INTO precious VALUES (1)")
    before = take_inventory(dr.endpoint)
    arguments = (folder / DUMP_FILE, inventory, folder / "record")
    with way_that_is_cut(dr.server.host, dr.server.port, after=after) as way:
        with pytest.raises(TransientError):
            replace_schema(replace(dr.endpoint, host="127.0.0.1", port=way.port), *arguments, sha256=report.sha256)
        assert way.is_cut
    nobody_is_left(dr)
    assert differences(dr.endpoint, before, events="as_recorded") == []
    assert replace_schema(dr.endpoint, *arguments, sha256=report.sha256) == []
    assert take_inventory(dr.endpoint).tables == inventory.tables


class LogElsewhere(MariaDb):
    """A server whose binary log lies on another disk than its data: for that log it would wait, and not fail."""

    def _configuration(self) -> str:
        return super()._configuration().replace('log-bin = "binlog"', f'log-bin = "{self.site.root / "binlog"}"')


@pytest.mark.chaos
def test_a_disk_that_is_full_at_the_dr_server_is_told_and_the_live_schema_is_as_before(
    large: Any, folder: Path
) -> None:
    report = dump(large.endpoint, folder)
    inventory = read_inventory(folder / INVENTORY_FILE)
    with borrowed(STATE) as lab, mounted(lab.site("newyork").mariadb, "size=1g") as disk:
        server = LogElsewhere(lab.site("newyork"), passwords(lab).sites["newyork"])
        start_all([server], Supervisor(lab))
        place = made_place(server, large.endpoint.schema)
        place.run("CREATE TABLE precious (a INT PRIMARY KEY)", "INSERT INTO precious VALUES (1)")
        before = take_inventory(place.endpoint)
        used = int(subprocess.check_output(["du", "-sk", str(disk)]).split()[0])
        remount(disk, f"size={used + 6_000}k")
        arguments = (place.endpoint, folder / DUMP_FILE, inventory, folder / "record")
        with pytest.raises(PreconditionError, match="no room left"):
            replace_schema(*arguments, sha256=report.sha256)
        assert differences(place.endpoint, before, events="as_recorded") == []
        remount(disk, "size=1g")
        assert replace_schema(*arguments, sha256=report.sha256) == []
        assert differences(place.endpoint, inventory) == []
        removed_place(place)
        Supervisor(lab).kill_all()


@pytest.mark.chaos
def test_a_million_rows_that_nothing_tells_apart(primary: Any, dr: Any, folder: Path) -> None:
    primary.run(
        "CREATE TABLE no_key (a INT, b VARCHAR(40))",
        "INSERT INTO no_key SELECT seq MOD 500000, MD5(seq MOD 500000) FROM seq_1_to_1000000",
    )
    report = dump(primary.endpoint, folder)
    assert report.rows == 1_000_000
    assert prove(dr.endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="million") == []
    inventory = read_inventory(folder / INVENTORY_FILE)
    assert replace_schema(dr.endpoint, folder / DUMP_FILE, inventory, folder / "record", sha256=report.sha256) == []
    dr.run("DELETE FROM no_key WHERE a = 77 LIMIT 1", "UPDATE no_key SET b = 'other' WHERE a = 4711 LIMIT 1")
    found = [str(difference) for difference in compare_schemas(primary.endpoint, dr.endpoint)]
    assert found[0].startswith("table `no_key`: rows: expected 1000000, found 999999")
    assert len(found) == 4
