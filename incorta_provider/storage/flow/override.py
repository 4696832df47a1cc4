"""The bandwidth limit that a person sets for the copies to a site, whatever the topology says."""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, Field

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.storage.flow.limit import override_path
from incorta_provider.storage.records.json_file import read_model, write_json


class Override(FrozenModel):
    """What a person set.

    :ivar bytes_per_second: None for no limit at all, whatever the topology says.
    """

    bytes_per_second: int | None = Field(default=None, ge=1)
    by: str
    at: AwareDatetime


def read_override(catalog: Path) -> Override | None:
    """Return what a person set; None when the topology holds."""
    return read_model(override_path(catalog), Override)


def set_override(catalog: Path, override: Override | None) -> None:
    """Set a limit for running and coming copies; None gives the word back to the topology."""
    if override is None:
        override_path(catalog).unlink(missing_ok=True)
    else:
        write_json(override_path(catalog), override.model_dump(mode="json"))
