"""A copy that was read back: what is at the target was compared with what was read at the source."""

from __future__ import annotations

from typing import NamedTuple

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.tree import Missed


class Proven(NamedTuple):
    """One staged file and the proof of it, which holds as long as the file has the change time that it had then.

    :ivar entry: what was copied.
    :ivar changed_ns: the change time of the staged file right after the proof.
    :ivar framing: what is wrong with the frame of a Parquet file; empty when nothing is.
    """

    entry: Entry
    changed_ns: int
    framing: str = ""


Outcome = Entry | Proven | Missed
"""What came of one file: a copy, which is read again before a point rests on it unless it is proven; or why not."""
