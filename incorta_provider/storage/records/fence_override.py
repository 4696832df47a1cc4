"""What a catalog keeps of a person's word to open a fenced site, so that nothing fences it again by itself."""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, Field

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.storage.records.json_file import read_model, write_json


class FenceOverride(FrozenModel):
    """One word.

    :ivar epoch: under which it was given; the next change of roles ends it.
    """

    site: str
    epoch: int = Field(ge=0)
    by: str
    reason: str
    at: AwareDatetime


def save_override(catalog_root: Path, override: FenceOverride) -> None:
    """Keep it, in place of a former one about the same site."""
    folder = catalog_root / "fence-overrides"
    folder.mkdir(mode=0o700, exist_ok=True)
    write_json(folder / f"{override.site}.json", override.model_dump(mode="json"))


def read_override(catalog_root: Path, site: str) -> FenceOverride | None:
    """Return what was said about a site; None when nobody said anything.

    :raises IntegrityError: the file holds something else.
    """
    return read_model(catalog_root / "fence-overrides" / f"{site}.json", FenceOverride)
