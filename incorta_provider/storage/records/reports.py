"""The reports that a catalog keeps of cutovers and drills."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from incorta_provider.dr.report import Report
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.records.json_file import read_model

log = logging.getLogger(__name__)

FOLDERS = ("cutovers", "drills")


def kept_reports(catalog_root: Path) -> Iterator[Report]:
    """Yield every report that can be read. One that cannot holds up nothing: what it would say is history."""
    for folder in FOLDERS:
        for path in sorted((catalog_root / folder).glob("*/report.json")):
            try:
                report = read_model(path, Report)
            except (IntegrityError, OSError) as error:
                log.warning("a report of an earlier run is left out: %s", error)
                continue
            if report is not None:
                yield report
