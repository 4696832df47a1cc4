"""kill -9 in the middle of a dump, a proof and a restore; the same command again ends as if nothing had happened."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.comparison import differences, take_inventory
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.restore import replace_schema, return_schema
from incorta_provider.metadata.switch_journal import SWITCH_FILE
from lab.layout import Lab
from lab.servers.mariadb import MariaDb
from lab.servers.server import port_is_free, start_all
from lab.supervisor import Supervisor

pytestmark = pytest.mark.lab

PROGRAM = """
import json, sys
from pathlib import Path
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.restore import replace_schema

step, fields, folder, sha256 = json.loads(sys.stdin.read())
endpoint, folder = Endpoint(**fields), Path(folder)
files = folder / "metadata.sql.zst", folder / "inventory.json"
if step == "dump":
    dump(endpoint, folder)
elif step == "prove":
    prove(endpoint, *files, scratch_key="killed")
else:
    replace_schema(endpoint, files[0], read_inventory(files[1]), folder / "backup", sha256=sha256)
"""
ROWS = 120_000


def killed_when(condition: Callable[[], bool], step: str, place: Any, folder: Path, sha256: str = "") -> None:
    """Start a step in a process of its own and kill that as soon as the condition holds."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin
        process.stdin.write(json.dumps([step, dataclasses.asdict(place.endpoint), str(folder), sha256]))
        process.stdin.close()
        deadline = time.monotonic() + 60
        while not condition():
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def large(primary: Any) -> Any:
    """A schema that takes a second or so to load."""
    primary.run(
        "CREATE TABLE small (a INT PRIMARY KEY)",
        "INSERT INTO small VALUES (1), (2)",
        "CREATE TABLE large (id INT PRIMARY KEY, v VARCHAR(100), KEY (v)) ENGINE = InnoDB",
        f"INSERT INTO large SELECT seq, CONCAT(MD5(seq), MD5(seq + 1)) FROM seq_1_to_{ROWS}",
        "CREATE TABLE zz_last (a INT PRIMARY KEY)",
        "CREATE VIEW v AS SELECT * FROM large",
        "CREATE TRIGGER t BEFORE INSERT ON small FOR EACH ROW SET @x = 1",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SET @x = 1",
    )
    return primary


@pytest.fixture
def point(large: Any, folder: Path) -> tuple[Path, str]:
    """A dump of it and its digest."""
    return folder, dump(large.endpoint, folder).sha256


def sessions(place: Any) -> int:
    """Return how many sessions the provider's account has."""
    query = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'dr_reader'"
    return int(place.run(query)[0][0])


def has_tables(place: Any, schema: str, name: str) -> Callable[[], bool]:
    query = "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"

    def look() -> bool:
        with place.server.connect() as connection, connection.cursor() as cursor:
            return bool(cursor.execute(query, (schema, name)))

    return look


def test_a_killed_dump_leaves_nothing_that_looks_like_one(large: Any, dr: Any, folder: Path) -> None:
    draft = folder / ".metadata.sql.zst.tmp"
    killed_when(lambda: draft.exists() and draft.stat().st_size > 100_000, "dump", large, folder)
    assert not (folder / "metadata.sql.zst").exists()
    assert not (folder / "inventory.json").exists()
    report = dump(large.endpoint, folder)
    assert report.rows == ROWS + 2
    assert sorted(path.name for path in folder.iterdir()) == ["inventory.json", "metadata.sql.zst", "references.jsonl"]
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="whole") == []


def test_a_killed_dump_ends_its_sessions_at_the_primary(large: Any, folder: Path) -> None:
    killed_when(lambda: sessions(large) >= 4, "dump", large, folder)
    deadline = time.monotonic() + 60
    while sessions(large):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("key", ["killed", "the next run"])
def test_what_a_killed_proof_left_is_collected(
    key: str, point: tuple[Path, str], dr: Any, scratch_left: Callable[[], set[str]]
) -> None:
    folder, _ = point
    killed_when(has_tables(dr, "_dr_proof_killed", "large"), "prove", dr, folder)
    assert scratch_left() == {"_dr_proof_killed"}
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key=key) == []
    assert scratch_left() == set()


def old_schema(place: Any) -> None:
    place.run(
        "CREATE TABLE small (a INT PRIMARY KEY, old VARCHAR(20))",
        "INSERT INTO small VALUES (1, 'before'), (2, 'before')",
        "CREATE TABLE only_here (a INT)",
        f"INSERT INTO only_here SELECT seq FROM seq_1_to_{ROWS}",
        "CREATE VIEW old_view AS SELECT * FROM small",
        "CREATE TRIGGER old_trigger BEFORE INSERT ON small FOR EACH ROW SET NEW.old = 'x'",
        "CREATE EVENT old_event ON SCHEDULE EVERY 1 DAY DO SET @x = 1",
        "CREATE PROCEDURE old_one() SELECT 1",
    )


def has_table_beside(place: Any, name: str) -> Callable[[], bool]:
    """Look into the schema that a restore makes ready beside the live one."""

    def look() -> bool:
        return any(has_tables(place, schema, name)() for schema in place.beside() if schema.endswith("_next"))

    return look


def is_at(folder: Path, *stages: str) -> Callable[[], bool]:
    """Look into the record of a switch."""
    path = folder / SWITCH_FILE
    return lambda: path.exists() and json.loads(path.read_text())["stage"] in stages


MOMENTS: dict[str, Callable[[Any, Path], Callable[[], bool]]] = {
    "while it is loaded beside": lambda dr, folder: has_table_beside(dr, "large"),
    "at the end of that": lambda dr, folder: has_table_beside(dr, "zz_last"),
    "when it is compared": lambda dr, folder: is_at(folder, "compared", "switching"),
    "in the window": lambda dr, folder: is_at(folder, "switching", "switched"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_restore_goes_on_and_keeps_what_was_there_first(moment: str, point: tuple[Path, str], dr: Any) -> None:
    folder, sha256 = point
    old_schema(dr)
    before = take_inventory(dr.endpoint)
    record = folder / "backup"
    killed_when(MOMENTS[moment](dr, record), "replace", dr, folder, sha256)
    if is_at(record, "loading", "compared")():
        assert differences(dr.endpoint, before, events="as_recorded") == []
    inventory = read_inventory(folder / "inventory.json")
    assert replace_schema(dr.endpoint, folder / "metadata.sql.zst", inventory, record, sha256=sha256) == []
    assert differences(dr.endpoint, inventory) == []
    return_schema(dr.endpoint, record)
    assert differences(dr.endpoint, before, events="as_recorded") == []
    assert dr.beside() == []


def start_again(server: MariaDb, lab: Lab) -> None:
    """Start a killed server; its last threads may hold the port a little longer than it is seen to live."""
    deadline = time.monotonic() + 60
    while not Supervisor(lab).alive(server.name) and not port_is_free(server.port):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    start_all([server], Supervisor(lab))


@pytest.fixture
def crash(lab_layout: Lab, places: Any) -> Iterator[Callable[[Any, Callable[[], bool]], threading.Thread]]:
    """Kill the database server of a place as soon as a condition holds; it runs again afterwards."""
    supervisor = Supervisor(lab_layout)
    threads, over = [], threading.Event()

    def arm(place: Any, condition: Callable[[], bool]) -> threading.Thread:
        def work() -> None:
            while not condition():
                if over.wait(0.002):
                    return  # the moment was missed, which the test tells
            record = supervisor.get(place.server.name)
            assert record is not None
            os.kill(record.pid, signal.SIGKILL)  # at once: to look for its children first takes a moment too long
            supervisor.kill(place.server.name)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return threads[-1]

    yield arm
    over.set()
    for thread in threads:
        thread.join()
    for place in places:
        start_again(place.server, lab_layout)


Crash = Callable[[Any, Callable[[], bool]], threading.Thread]


def test_a_primary_that_dies_during_the_dump_makes_it_try_later(large: Any, folder: Path, crash: Crash) -> None:
    draft = folder / ".metadata.sql.zst.tmp"
    crash(large, lambda: draft.exists() and draft.stat().st_size > 100_000)
    with pytest.raises(TransientError):
        dump(large.endpoint, folder)
    assert list(folder.iterdir()) == []


def test_a_target_that_dies_during_the_proof_makes_it_try_later_and_is_cleared(
    point: tuple[Path, str], dr: Any, lab_layout: Lab, crash: Crash, scratch_left: Callable[[], set[str]]
) -> None:
    """Neither the live schema nor the dump is touched, and what the proof left is dropped by whichever comes next."""
    folder, sha256 = point
    dr.run("CREATE TABLE live (a INT PRIMARY KEY)", "INSERT INTO live VALUES (1)")
    files = folder / "metadata.sql.zst", folder / "inventory.json"
    killer = crash(dr, has_tables(dr, "_dr_proof_killed", "large"))
    with pytest.raises(TransientError):
        prove(dr.endpoint, *files, scratch_key="killed")
    killer.join()
    start_again(dr.server, lab_layout)
    assert scratch_left() == {"_dr_proof_killed"}
    assert dr.run("SELECT a FROM live") == ((1,),)
    assert hashlib.sha256(files[0].read_bytes()).hexdigest() == sha256
    assert prove(dr.endpoint, *files, scratch_key="the next run") == []
    assert scratch_left() == set()


def test_a_target_that_dies_during_the_restore_makes_it_try_later(
    point: tuple[Path, str], dr: Any, lab_layout: Lab, crash: Crash
) -> None:
    folder, sha256 = point
    inventory = read_inventory(folder / "inventory.json")
    arguments = (dr.endpoint, folder / "metadata.sql.zst", inventory, folder / "backup")
    killer = crash(dr, has_table_beside(dr, "large"))
    with pytest.raises(TransientError):
        replace_schema(*arguments, sha256=sha256)
    killer.join()
    start_again(dr.server, lab_layout)
    assert replace_schema(*arguments, sha256=sha256) == []
