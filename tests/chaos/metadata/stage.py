"""Where a restore is killed: a live schema that is made anew for each crash, and what must be true behind every one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.schema_switch import Stage as SwitchStage
from incorta_provider.metadata.comparison import differences, take_inventory
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.prove import read_inventory
from incorta_provider.metadata.switch_journal import read_switch
from lab.servers.mariadb import MariaDb
from lab.testbed import Pair
from tests.chaos.metadata.worker import KILLED, Order
from tests.chaos.storage.stage import spread
from tests.chaos.tally import Tally
from tests.integration.metadata.conftest import USER, Place, made_place, removed_place

UNTOUCHED = (None, SwitchStage.LOADING, SwitchStage.COMPARED, SwitchStage.RETURNED)
"""Stages at which the live schema is the one before, in full."""


@contextmanager
def made_places(servers: Pair[MariaDb]) -> Iterator[Pair[Place]]:
    """Lend an empty schema at both sites."""
    made = Pair(*(made_place(server, "chaos") for server in servers))
    try:
        yield made
    finally:
        for place in made:
            removed_place(place)


def build_new(place: Place) -> None:
    """Make what the point holds."""
    place.run(
        "CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(20), at TIMESTAMP(3) NOT NULL DEFAULT NOW(3))",
        "CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT of_parent FOREIGN KEY (p) REFERENCES parent (id))",
        "CREATE TABLE `odd ``name` (a INT)",
        "INSERT INTO parent (id, name) SELECT seq, CONCAT('row ', seq) FROM seq_1_to_500",
        "INSERT INTO child SELECT seq, seq FROM seq_1_to_500",
        "CREATE FUNCTION shout(t VARCHAR(99)) RETURNS VARCHAR(100) DETERMINISTIC RETURN CONCAT(t, '!')",
        "CREATE PROCEDURE same() SELECT 'new'",
        "CREATE VIEW z AS SELECT shout(name) AS loud FROM parent",
        "CREATE VIEW a AS SELECT loud FROM z",
        "CREATE TRIGGER t BEFORE INSERT ON parent FOR EACH ROW SET NEW.name = 'new'",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY ENABLE DO SET @x = 1",
    )


def build_old(place: Place) -> None:
    """Make what is live before."""
    place.run(
        f"ALTER DATABASE `{place.endpoint.schema}` COLLATE utf8mb4_swedish_ci",
        "CREATE TABLE parent (id INT PRIMARY KEY, old VARCHAR(20))",
        "CREATE TABLE only_here (id INT PRIMARY KEY, p INT, "
        "CONSTRAINT of_parent FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
        "INSERT INTO parent SELECT seq, 'before' FROM seq_1_to_100",
        "INSERT INTO only_here SELECT seq, seq FROM seq_1_to_100",
        "CREATE PROCEDURE same() SELECT 'old'",
        "CREATE VIEW z AS SELECT old FROM parent",
        "CREATE TRIGGER t BEFORE INSERT ON parent FOR EACH ROW SET NEW.old = 'old'",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY ENABLE DO SET @x = 2",
    )


@dataclass
class Stage:
    """Both sites and one dump of the primary.

    :param share: how many crash points of a verb are tried; None for all.
    """

    primary: Place
    dr: Place
    root: Path
    share: int | None
    tally: Tally

    def __post_init__(self) -> None:
        self.point, self.folder = self.root / "point", self.root / "record"
        self.point.mkdir()
        self.sha256 = dump(self.primary.endpoint, self.point).sha256
        self.new = read_inventory(self.point / "inventory.json")

    def order(self, verb: str) -> Order:
        return Order(verb, self.dr.endpoint, self.point, self.folder, self.sha256)

    def fresh(self, *before: str) -> Inventory:
        """Make the live schema and the record anew, carry out what goes before, and return what was live first."""
        schema = self.dr.endpoint.schema
        shutil.rmtree(self.folder, ignore_errors=True)
        with self.dr.server.connect() as connection, connection.cursor() as cursor:
            for name in (*self.dr.beside(), schema):
                cursor.execute(f"DROP DATABASE `{name}`")
            cursor.execute(f"CREATE DATABASE `{schema}` CHARACTER SET utf8mb4")
        build_old(self.dr)
        old = take_inventory(self.dr.endpoint)
        for verb in before:
            self.order(verb).finish()
        return old

    def kill_everywhere(self, verb: str, ensure: Callable[[Inventory], None], *, before: tuple[str, ...] = ()) -> None:
        """Kill a verb before and behind each of its calls, and have each outcome judged; all failures are named.

        :param ensure: gets what was live first.
        """
        self.fresh(*before)
        calls = self.order(verb).finish()
        assert calls
        moments = [(number, when) for number in range(1, len(calls) + 1) for when in ("before", "after")]
        failed = []
        for number, when in spread(moments, self.share):
            old = self.fresh(*before)
            status, _ = replace(self.order(verb), die_at=number, when=when).run()
            try:
                with self.tally.point(verb, f"{when} {calls[number - 1]}"):
                    assert status == KILLED
                    self.ensure_intact(old)
                    ensure(old)
            except Exception as error:
                failed.append(f"killed {when} call {number}, {calls[number - 1]}: {error!r}")
        assert not failed, "\n".join(failed)

    def ensure_intact(self, old: Inventory) -> None:
        """The live tables are all of the schema before or all of the new one, row by row; mostly all else too."""
        self.wait_for_server()
        switch = read_switch(self.folder)
        if (switch.stage if switch else None) in UNTOUCHED:
            assert differences(self.dr.endpoint, old, events="as_recorded") == []
        tables = take_inventory(self.dr.endpoint).tables
        assert tables in (old.tables, self.new.tables)

    def ensure_old(self, old: Inventory) -> None:
        """The live schema is the one before, in full, and nothing else is left."""
        assert differences(self.dr.endpoint, old, events="as_recorded") == []
        assert self.dr.beside() == []

    def ensure_new(self) -> None:
        """The live schema is the point, in full."""
        assert differences(self.dr.endpoint, self.new) == []

    def wait_for_server(self) -> None:
        """Wait until the server has ended the sessions of the process that was killed."""
        deadline = time.monotonic() + 60
        query = f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{USER}'"
        while self.dr.run(query) != ((0,),):
            assert time.monotonic() < deadline
            time.sleep(0.01)
