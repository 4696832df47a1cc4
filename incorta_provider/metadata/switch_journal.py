"""The record of a switch as a file: whole or absent, and never lost while the schemas that it names are there."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import ValidationError

from incorta_provider.dr.schema_switch import Stage, Switch
from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.archive import replacing
from incorta_provider.metadata.rights import BESIDE_PREFIX

SWITCH_FILE = "switch.json"


def read_switch(folder: Path) -> Switch | None:
    """Return the record of the switch that a folder is about; None when there was none.

    :raises IntegrityError: it cannot be read.
    """
    path = folder / SWITCH_FILE
    if not path.exists():
        return None
    try:
        return Switch.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"the record of a switch cannot be read: {error}",
            where=str(path),
            fix=f"Nothing was changed. Repair the file: it lists the schemas that begin with {BESIDE_PREFIX}.",
        ) from None


def write_switch(folder: Path, switch: Switch) -> Switch:
    """Replace the record, on disk before this returns.

    :raises TransientError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / SWITCH_FILE) as file:
        file.write(switch.model_dump_json(indent=1).encode())
    return switch


def begin_switch(folder: Path, live: str, sha256: str) -> Switch:
    """Write the record of a new switch. Its schemas have names that no other has, whatever happened to its record."""
    name = _unused_name()
    switch = Switch(stage=Stage.LOADING, live=live, next=f"{name}_next", previous=f"{name}_previous", sha256=sha256)
    return write_switch(folder, switch)


def load_elsewhere(folder: Path, switch: Switch) -> Switch:
    """Write down that the next schema has another name: the one that it had must be gone."""
    return write_switch(folder, switch.at(Stage.LOADING, next=f"{_unused_name()}_next"))


def _unused_name() -> str:
    return BESIDE_PREFIX + secrets.token_hex(6)
