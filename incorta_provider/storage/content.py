"""Find the bytes of a file of a recovery point that the live replica does not have.

A file that a point brought lies in the point's own folder until it is applied; a file that an apply moved out of the
live replica lies in a history folder. Always under the file's own path, so few places are looked at, and the digest
decides. Only a file in the point's own folder with its recorded size and time is believed without being read: it was
read and compared right before the point was sealed.
"""

from __future__ import annotations

import os
import stat

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.digests import read
from incorta_provider.storage.faults import GONE, target_fault


class Content:
    """The files in the catalog, as one point sees them."""

    def __init__(self, catalog: Catalog, point_id: str) -> None:
        self._root = os.fsencode(catalog.root)
        own, *others = (os.fsencode(path.relative_to(catalog.root)) for path in catalog.content_folders(point_id))
        self._own = own
        self._others = others

    def find(self, entry: Entry) -> bytes | None:
        """Return where the bytes of the file lie, relative to the catalog; None when nowhere."""
        facts = self._facts(self._own, entry)
        if facts is not None and facts.st_mtime_ns == entry.mtime_ns:
            return self._own + b"/" + entry.path
        for folder in (self._own, *self._others):
            if self._facts(folder, entry) is not None and read(self._path(folder, entry)).holds(entry):
                return folder + b"/" + entry.path
        return None

    def _facts(self, folder: bytes, entry: Entry) -> os.stat_result | None:
        """Return the facts of a file of the right size; None when there is none in this folder."""
        try:
            facts = os.lstat(self._path(folder, entry))
        except OSError as error:
            if error.errno in GONE:
                return None
            raise target_fault(error, os.fsdecode(self._path(folder, entry))) from None
        return facts if stat.S_ISREG(facts.st_mode) and facts.st_size == entry.size else None

    def _path(self, folder: bytes, entry: Entry) -> bytes:
        return self._root + b"/" + folder + b"/" + entry.path
