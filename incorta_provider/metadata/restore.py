"""Replaces a schema by a recovery point's: loaded beside it, compared in full there, then switched.

Until the switch nothing of the live schema changes. It is a matter of one RENAME TABLE and of the views, routines,
triggers and events around it, under a record that says in which direction to go on after a kill; see
:mod:`incorta_provider.dr.schema_switch`. What was live before is kept until a commit, and comes back as quickly.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from incorta_provider.dr.inventory import ENABLED, Difference, Inventory, compare
from incorta_provider.dr.schema_switch import Holdings, Stage, Switch
from incorta_provider.exceptions import DrError, PreconditionError
from incorta_provider.metadata.archive import ensure_digest
from incorta_provider.metadata.checksum import Measure
from incorta_provider.metadata.code_objects import read_holdings
from incorta_provider.metadata.comparison import absent_definers, differences, rows_now, take_inventory
from incorta_provider.metadata.definitions import read_definitions
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.load import load
from incorta_provider.metadata.schema import drop, exists, holding, holds_anything, recreate
from incorta_provider.metadata.switch import ensure_nothing_refers, make_live, set_status
from incorta_provider.metadata.switch_journal import begin_switch, load_elsewhere, read_switch, write_switch

log = logging.getLogger(__name__)

_NOTHING = Holdings(
    character_set="utf8mb4", collation="utf8mb4_bin", tables=(), views={}, routines={}, triggers={}, events={}
)
"""What a schema holds that was not there; it is made for a moment, whatever its character set."""


def replace_schema(
    endpoint: Endpoint,
    dump: Path,
    inventory: Inventory,
    folder: Path,
    *,
    sha256: str,
    source: Endpoint | None = None,
) -> list[Difference]:
    """Make the endpoint's schema what was dumped, with all events off, and return what is not equal.

    Safe to repeat after a kill at any point. With differences the live schema is the one before.

    :param folder: for the record of the switch; one for each restore.
    :param sha256: of the dump, in hex.
    :param source: where the dump was made; asked only when rows differ, for which ones.
    :raises IntegrityError: the dump is not the one that was sealed; nothing was changed.
    :raises ConfigurationError: the account lacks a right; nothing was changed.
    :raises PreconditionError: the restore was taken back or committed; foreign keys of other schemas are in the way.
    :raises TransientError: sessions hold the schema, or another run replaces it; the schema before is live.
    """
    ensure_digest(dump, sha256)
    endpoint.ensure_rights()
    with holding(endpoint, endpoint.schema) as session:
        switch = _to_go_on(endpoint, session, inventory, folder, sha256)
        if switch.stage is Stage.SWITCHED:
            return []
        if switch.stage is Stage.LOADING:
            switch = _apart_from_a_former_try(endpoint, session, switch, folder)
            if found := _load_beside(endpoint, session, switch, dump, inventory, source):
                return found
            switch = write_switch(folder, switch.at(Stage.COMPARED, tables=tuple(inventory.tables)))
        if switch.stage is Stage.COMPARED:
            with translated(endpoint.label):
                ensure_nothing_refers(session, switch.live, endpoint.label)
                before = read_holdings(endpoint, session)
            switch = write_switch(folder, switch.at(Stage.SWITCHING, before=before))
        return _switch(endpoint, session, switch, inventory, folder)


def return_schema(endpoint: Endpoint, folder: Path) -> None:
    """Make the schema live again that a restore replaced, and forget what was restored. Safe to repeat.

    :raises PreconditionError: the schema before was given up by a commit, or there was no restore.
    """
    with holding(endpoint, endpoint.schema) as session:
        switch = _recorded(endpoint, folder)
        if switch.stage is Stage.COMMITTED:
            raise _ended("was committed, and the schema before is gone", endpoint, "Cut over to another point.")
        if switch.stage in (Stage.SWITCHING, Stage.SWITCHED, Stage.REDOING, Stage.RETURNING):
            switch = write_switch(folder, switch.at(Stage.RETURNING))
            _bring_back(endpoint, session, switch)
        write_switch(folder, switch.at(Stage.RETURNED))
        with translated(endpoint.label):
            drop(session, switch.next)
            _drop_if_empty(session, switch.previous)


def commit_schema(endpoint: Endpoint, folder: Path) -> None:
    """Give up the schema that a restore replaced. Safe to repeat.

    :raises PreconditionError: the restore is not done, or was taken back, or there was none.
    """
    with holding(endpoint, endpoint.schema) as session:
        switch = _recorded(endpoint, folder)
        if switch.stage not in (Stage.SWITCHED, Stage.COMMITTED):
            raise _ended(f"is at stage {switch.stage}", endpoint, "Finish the restore, or take it back.")
        write_switch(folder, switch.at(Stage.COMMITTED))
        with translated(endpoint.label):
            drop(session, switch.previous)
            drop(session, switch.next)


def enable_events(endpoint: Endpoint, inventory: Inventory) -> list[str]:
    """Switch on the events that were on when the dump was made; return their names."""
    enabled = {name: event for name, event in inventory.events.items() if event.status == ENABLED}
    for name, event in enabled.items():
        set_status(endpoint, name, event, inventory.collation)
    return list(enabled)


def _recorded(endpoint: Endpoint, folder: Path) -> Switch:
    if (switch := read_switch(folder)) is None:
        raise _ended(f"has no record in {folder}", endpoint, "Nothing was restored, or the record was lost.")
    return switch


def _to_go_on(endpoint: Endpoint, session: Session, inventory: Inventory, folder: Path, sha256: str) -> Switch:
    """Return the record to go on with; one that is done stands only while the live schema is still equal."""
    switch = read_switch(folder) or begin_switch(folder, endpoint.schema, sha256)
    if switch.stage in (Stage.RETURNING, Stage.RETURNED, Stage.COMMITTED):
        raise _ended(f"is {switch.stage}", endpoint, "Trigger a new cutover.")
    if (switch.live, switch.sha256) != (endpoint.schema, sha256):
        raise _ended(
            f"of another dump, to {switch.live}, is recorded in {folder}", endpoint, "Use a folder of its own."
        )
    if switch.stage is Stage.SWITCHED and (found := differences(endpoint, inventory)):
        log.warning("%s was changed since it was restored, and is restored again: %s", endpoint.label, found[0])
        switch = write_switch(folder, switch.at(Stage.REDOING))
    if switch.stage is Stage.REDOING:
        return _back_to(Stage.LOADING, endpoint, session, switch, folder)
    return switch


def _apart_from_a_former_try(endpoint: Endpoint, session: Session, switch: Switch, folder: Path) -> Switch:
    """Give up what a try before loaded, and load under another name.

    Its client program may outlive a worker that was killed, and what it had read goes on into the schema of that name.
    """
    with translated(endpoint.label):
        if not exists(session, switch.next):
            return switch
        drop(session, switch.next)
    return load_elsewhere(folder, switch)


def _load_beside(
    endpoint: Endpoint, session: Session, switch: Switch, dump: Path, inventory: Inventory, source: Endpoint | None
) -> list[Difference]:
    """Load the dump into the next schema and compare it in full; one that is not equal is removed."""
    equal = False
    try:
        with translated(endpoint.label):
            recreate(session, switch.next, inventory)
        load(endpoint, switch.next, dump, inventory)
        beside = replace(endpoint, schema=switch.next)
        loaded = take_inventory(beside)
        found = absent_definers(beside, inventory) + compare(inventory, loaded, events="disabled")
        equal = not found
        return found + (rows_now(source, beside, inventory, loaded) if source and found else [])
    finally:
        if not equal:
            with suppress(DrError), translated(endpoint.label):
                drop(session, switch.next)


def _switch(
    endpoint: Endpoint, session: Session, switch: Switch, inventory: Inventory, folder: Path
) -> list[Difference]:
    """Go through the window. What fails in it, or is not equal after it, puts the old schema back."""
    holdings = Holdings.of(inventory, endpoint.schema)
    try:
        window = make_live(endpoint, session, holdings, source=switch.next, aside=switch.previous)
        found = _definition_differences(endpoint, inventory)
    except DrError:
        with suppress(DrError):
            _back_to(Stage.COMPARED, endpoint, session, switch, folder)
        raise
    if found:
        _back_to(Stage.LOADING, endpoint, session, switch, folder)
        return found
    write_switch(folder, switch.at(Stage.SWITCHED, window_seconds=window.seconds))
    with translated(endpoint.label):
        drop(session, switch.next)
    return []


def _back_to(stage: Stage, endpoint: Endpoint, session: Session, switch: Switch, folder: Path) -> Switch:
    """Make the old schema live again, so that the restore may start over at a stage."""
    _bring_back(endpoint, session, switch)
    return write_switch(folder, switch.at(stage, before=None))


def _bring_back(endpoint: Endpoint, session: Session, switch: Switch) -> None:
    before = switch.before or _NOTHING
    window = make_live(endpoint, session, before, source=switch.previous, aside=switch.next, partly=True)
    for name in window.left_out:
        log.warning("view %s was invalid and is not made again", name)
    for name, event in before.events.items():
        set_status(endpoint, name, event, before.collation)
    if switch.before is None:
        with translated(endpoint.label):
            _drop_if_empty(session, switch.live)


def _definition_differences(endpoint: Endpoint, inventory: Inventory) -> list[Difference]:
    """Compare everything but rows with the inventory: a rename moves a table, whose rows were compared before."""
    measures = {name: Measure(table.rows, table.checksum) for name, table in inventory.tables.items()}
    with endpoint.connect() as session, translated(endpoint.label):
        definitions = read_definitions(session)
    known = dict.fromkeys(definitions.tables, Measure(0, "")) | measures
    return compare(inventory, definitions.inventory(known), events="disabled")


def _drop_if_empty(session: Session, schema: str) -> None:
    if not holds_anything(session, schema):
        drop(session, schema)


def _ended(what: str, endpoint: Endpoint, fix: str) -> PreconditionError:
    return PreconditionError(f"the restore {what}", where=endpoint.label, fix=fix)
