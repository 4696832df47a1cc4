"""What the last compare of the live replica with its point found: ``verified.json`` in the catalog.

:raises IntegrityError: the record is damaged.
"""

from __future__ import annotations

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.json_file import read_model, write_json

SHOWN = 20


class Findings(FrozenModel):
    """Where a replica differs from its point.

    :ivar missing: how many files, folders and links the point has and the replica lacks.
    :ivar unexpected: how many the replica has and the point does not.
    :ivar different: how many are there and not the same.
    :ivar names: the first of them, as a line each.
    """

    missing: int = 0
    unexpected: int = 0
    different: int = 0
    names: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many places differ."""
        return self.missing + self.unexpected + self.different

    def in_words(self) -> str:
        """Return the numbers in words."""
        return f"{self.missing} missing, {self.different} different, {self.unexpected} unexpected"


class Verified(FrozenModel):
    """One compare.

    :ivar point: what the replica was compared with.
    :ivar files: of the point, ``bytes`` in all; of these ``read_files`` were read and their digests compared.
    :ivar found: how it differed, and ``left`` how it still differs after a repair.
    :ivar waiting: how many files were left out, because a run was replicating them into the replica's own bucket.
    :ivar day: the day, since 1970, up to which samples were read; None when the last compares read none.
    :ivar sample_days: what the samples were made for; 1 for a compare of every digest.
    """

    at: AwareDatetime
    point: str
    files: int
    bytes: int
    read_files: int
    read_bytes: int
    found: Findings
    left: Findings
    repaired: bool
    waiting: int = 0
    seconds: float
    day: int | None
    sample_days: int | None

    def in_words(self) -> str:
        """Return the outcome in one line."""
        scope = f"{self.files} file(s), {self.read_files} of them read ({self.read_bytes} bytes)"
        if self.waiting:
            scope = f"{scope}, without {self.waiting} that were being replicated"
        if not self.found.total:
            return f"equal to {self.point}: {scope}"
        drift = f"differed from {self.point} in {self.found.total} place(s) ({self.found.in_words()}): {scope}"
        if not self.repaired:
            return drift
        return f"{drift}; repaired" if not self.left.total else f"{drift}; after the repair {self.left.in_words()}"


def last_verified(catalog: Catalog) -> Verified | None:
    """Return the last compare; None when there was none."""
    return read_model(catalog.root / "verified.json", Verified)


def save_verified(catalog: Catalog, verified: Verified) -> None:
    """Keep the last compare."""
    write_json(catalog.root / "verified.json", verified.model_dump(mode="json"))
