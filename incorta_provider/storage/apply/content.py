"""Find the bytes of a file of a recovery point that the live replica does not have.

A file that a point brought lies in the point's own area until it is applied; a file that an apply moved out of the
live replica lies in the history. Always under the file's own path, so few places are looked at, and the digest decides.
Only a file in the point's own area with its recorded size and time is believed without being read: it was read and
compared right before the point was sealed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.digests import read
from incorta_provider.storage.faults import GONE


class Content:
    """The files in the vault, as one point sees them.

    :param own: the area of the point.
    :param others: the other areas, in the order in which they are looked through.
    """

    def __init__(self, vault: bytes, own: bytes, others: Sequence[bytes]) -> None:
        self._vault = vault + b"/"
        self._own = own
        self._others = others

    def find(self, entry: Entry) -> bytes | None:
        """Return where the bytes of the file lie, relative to the vault; None when nowhere."""
        place = self._own + b"/" + entry.path
        facts = self._facts(place, entry)
        if facts is not None and facts.st_mtime_ns == entry.mtime_ns:
            return place
        for area in (self._own, *self._others):
            place = area + b"/" + entry.path
            if self._facts(place, entry) is not None and read(self._vault + place).holds(entry):
                return place
        return None

    def _facts(self, place: bytes, entry: Entry) -> os.stat_result | None:
        """Return the facts of a file of the right size; None when there is none at this place."""
        try:
            facts = os.lstat(self._vault + place)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        return facts if stat.S_ISREG(facts.st_mode) and facts.st_size == entry.size else None
