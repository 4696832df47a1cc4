"""How many bytes a second the copies to a site may move: what the topology says, unless a person says otherwise.

The word of a person lies in the catalog, so that every worker sees it within a second or two, on whichever machine a
copy runs. Copies of one run that run in parallel, on several machines perhaps, share the limit: each of them
shows that it is at work by its record of progress (:mod:`incorta_provider.storage.flow.record`).

Helper processes read this, so it is kept free of what takes long to import.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.flow.at_work import records_at_work
from incorta_provider.storage.records.json_file import read_json

READ_SECONDS = 1.0


def override_path(catalog: Path) -> Path:
    """Return where a person's limit for the copies into a catalog lies."""
    return catalog / "bandwidth.json"


class Limit:
    """The limit of one copy, read again each second; may be pickled.

    :param catalog: the folder of the catalog.
    :param configured: bytes per second by the topology; None for no limit.
    :param workspace: the folder of the run, whose copies share the limit.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        catalog: Path,
        configured: int | None,
        workspace: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._configured = configured
        self._workspace = workspace
        self._clock = clock
        self._read_at: float | None = None
        self._share: int | None = configured

    def share(self) -> int | None:
        """Return how many bytes a second this copy may move; None for no limit."""
        now = self._clock()
        if self._read_at is None or now - self._read_at >= READ_SECONDS:
            self._share = self._read()
            self._read_at = now  # not before: a thread that asks meanwhile would pass without the limit
        return self._share

    def _read(self) -> int | None:
        """Read again; a file that cannot be read right now leaves what was known, because a copy does not end for
        that.
        """
        try:
            override = read_json(override_path(self._catalog))
            total = self._configured if override is None else override["bytes_per_second"]
            return total and max(1, total // max(1, len(records_at_work(self._workspace))))
        except (OSError, IntegrityError, KeyError, TypeError):
            return self._share
