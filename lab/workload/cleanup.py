"""The clean-up job: removes version folders that the metadata name no more.

Gentle, it leaves a version alone for a while after a newer one took its place, as queries may still read it.
Aggressive, it removes at once: that is what tears the copies of tools which take files and metadata apart from each
other.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

GENTLE_SECONDS = 60.0
AGGRESSIVE_SECONDS = 0.0


class Cleanup:
    """The job; it remembers since when each folder is not live.

    :param tenant_folder: the tenant's folder in the shared storage.
    :param keep_seconds: how long a version is kept after it was replaced.
    """

    def __init__(self, tenant_folder: Path, keep_seconds: float) -> None:
        self._source = tenant_folder / "source"
        self._keep_seconds = keep_seconds
        self._retired: dict[Path, float] = {}

    def run(self, live: Collection[Path], now: float) -> list[Path]:
        """Remove what is due and return it.

        :param live: the version folders that the metadata name.
        :param now: seconds of a clock that never goes back.
        """
        idle = [folder for folder in sorted(self._source.glob("*/*/v*")) if folder not in live]
        self._retired = {folder: self._retired.get(folder, now) for folder in idle}
        due = [folder for folder, since in self._retired.items() if now - since >= self._keep_seconds]
        for folder in due:
            shutil.rmtree(folder)
            del self._retired[folder]
        return due
