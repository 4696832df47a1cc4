"""What the catalog keeps of rewrites of the metadata, each under the digest of its diff, so that it can be undone.

:raises PreconditionError: the catalog is not there, or it knows no such rewrite.
:raises IntegrityError: a record cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime

from incorta_provider.dr.rewriting import Rewriting
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.json_file import read_model, write_json

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Rewritings:
    """``rewrites/<digest>.json`` in a catalog; for the worker's account only, as values may be secret."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._folder = catalog.root / "rewrites"

    def keep(self, done: Rewriting) -> None:
        """Write one down; it is on disk when this returns."""
        self._catalog.ensure_there()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_json(self._folder / f"{done.sha256}.json", done.model_dump(mode="json"))

    def forget_before(self, moment: datetime, needed: Collection[str]) -> int:
        """Remove the records that are older; return how many.

        :param moment: aware.
        :param needed: digests of those that stay anyway.
        """
        old = [
            path
            for path in self._folder.glob("*.json")
            if path.stem not in needed and datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment
        ]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def get(self, sha256: str) -> Rewriting:
        """Return the rewrite with this digest."""
        self._catalog.ensure_there()
        known = read_model(self._folder / f"{sha256}.json", Rewriting) if _DIGEST.fullmatch(sha256) else None
        if known is None:
            raise PreconditionError(
                f"no rewrite {sha256} is known",
                where=str(self._folder),
                fix="`incorta-dr metadata rewrite` and the ledger name the digest of each.",
            )
        return known
