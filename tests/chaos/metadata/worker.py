"""What a process of its own does with the live schema until it is killed: restore, take back, commit."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.prove import read_inventory
from incorta_provider.metadata.restore import commit_schema, replace_schema, return_schema
from tests.chaos.crashes import Killer

KILLED = -9
_SECONDS = 120


@dataclass(frozen=True)
class Order:
    """One run.

    :param point: the folder with the dump and its inventory.
    :param folder: of the record.
    :param die_at: the number of the call at which it is killed; 0 for none.
    """

    verb: str
    endpoint: Endpoint
    point: Path
    folder: Path
    sha256: str
    die_at: int = 0
    when: str = "before"

    def run(self) -> tuple[int | None, list[str]]:
        """Carry it out in a process of its own; return that one's exit status and, when it lived, its calls."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_play, args=(self, writer))
        process.start()
        writer.close()
        calls = _received(reader)
        process.join(_SECONDS)
        return process.exitcode, calls

    def finish(self) -> list[str]:
        """Carry it out to the end and return the calls that it made."""
        status, calls = replace(self, die_at=0).run()
        assert status == 0, self.verb
        return calls


def restore(order: Order) -> None:
    """Replace the live schema."""
    inventory = read_inventory(order.point / "inventory.json")
    dump = order.point / "metadata.sql.zst"
    found = replace_schema(order.endpoint, dump, inventory, order.folder, sha256=order.sha256)
    assert found == [], found


VERBS: dict[str, Callable[[Order], None]] = {
    "restore": restore,
    "return": lambda order: return_schema(order.endpoint, order.folder),
    "commit": lambda order: commit_schema(order.endpoint, order.folder),
}


def _play(order: Order, answer: Connection) -> None:
    killer = Killer(order.die_at, order.when)
    killer.watch_database()
    VERBS[order.verb](order)
    answer.send(list(killer.calls))
    answer.close()


def _received(reader: Connection) -> list[str]:
    try:
        return list(reader.recv())
    except EOFError:
        return []
