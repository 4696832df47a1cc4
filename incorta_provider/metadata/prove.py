"""Proves a dump: restores it into a scratch schema, compares everything, drops the scratch schema.

:raises IntegrityError: the dump or its inventory is damaged, or the server refuses to load it.
:raises TransientError: another run proves the same dump now.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from incorta_provider.dr.inventory import Difference, Inventory, compare
from incorta_provider.dr.metadata_rules import EngineMapping
from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.carry import carried
from incorta_provider.metadata.comparison import absent_definers, rows_now, take_inventory
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.load import load
from incorta_provider.metadata.rights import SCRATCH_PREFIX
from incorta_provider.metadata.schema import drop, holding, lock_name, recreate

log = logging.getLogger(__name__)

_MAX_NAME = 64


def prove(
    endpoint: Endpoint,
    dump: Path,
    inventory_file: Path,
    *,
    scratch_key: str,
    source: Endpoint | None = None,
    mapping: EngineMapping | None = None,
) -> list[Difference]:
    """Return every difference between the dump, once restored, and what was dumped.

    :param scratch_key: names the scratch schema, so that a retry finds what it left.
    :param source: where the dump was made; asked only when rows differ, for which ones. It has gone on since, so these
        rows are a help to a person, and no verdict.
    :param mapping: the topology's, for a server of another engine.
    """
    endpoint.ensure_rights()
    inventory = carried(endpoint, read_inventory(inventory_file), mapping)
    with restored_apart(endpoint, dump, inventory, scratch_key=scratch_key) as scratch:
        found, missing = take_inventory(scratch), absent_definers(scratch, inventory)
        unequal = missing + compare(inventory, found, events="disabled")
        return unequal + (rows_now(source, scratch, inventory, found) if source else [])


@contextmanager
def restored_apart(endpoint: Endpoint, dump: Path, inventory: Inventory, *, scratch_key: str) -> Iterator[Endpoint]:
    """Restore a dump into a scratch schema beside the live one; it is dropped when the block is left.

    :param inventory: in the words of the endpoint's engine; see :mod:`incorta_provider.metadata.carry`.
    """
    endpoint.ensure_rights()
    scratch = scratch_name(scratch_key)
    with holding(endpoint, scratch) as session:
        with translated(endpoint.label):
            drop_abandoned(session)
            recreate(session, scratch, inventory)
        try:
            load(endpoint, scratch, dump, inventory)
            yield replace(endpoint, schema=scratch)
        finally:
            with translated(endpoint.label):
                drop(session, scratch)


def read_inventory(path: Path) -> Inventory:
    """Read what a dump wrote.

    :raises IntegrityError: it is not an inventory.
    """
    try:
        return Inventory.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"the inventory cannot be read: {error}", where=str(path), fix="Dump again, or choose another point."
        ) from None


def scratch_name(key: str) -> str:
    """Return the name of a scratch schema.

    >>> scratch_name("20261125T030405Z-55d41569")
    '_dr_proof_20261125T030405Z_55d41569'
    """
    return (SCRATCH_PREFIX + re.sub(r"\W", "_", key, flags=re.ASCII))[:_MAX_NAME]


def drop_abandoned(session: Session) -> None:
    """Drop the scratch schemas whose run is gone: the server has let go of their locks."""
    with session.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        scratch = [str(name) for (name,) in cursor.fetchall() if str(name).startswith(SCRATCH_PREFIX)]
        for name in scratch:
            cursor.execute("SELECT IS_FREE_LOCK(%s)", (lock_name(name),))
            if cursor.fetchone() == (1,):
                log.info("dropping %s, which a run that died left behind", name)
                drop(session, name)
