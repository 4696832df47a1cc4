"""Keep the metadata of a site that was active: a dump, and in what they differ from a common recovery point.

:raises TransientError: the database cannot be reached.
:raises ConfigurationError: a right is missing for the dump.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from incorta_provider.dr.inventory import Difference
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import DrError, TransientError
from incorta_provider.metadata.carry import carried
from incorta_provider.metadata.comparison import compare_schemas
from incorta_provider.metadata.dump import dump, forget
from incorta_provider.metadata.prove import restored_apart
from incorta_provider.steps.point import ensure_point_whole, point_inventory
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.divergence import KeptMetadata

log = logging.getLogger(__name__)

DIFFERENCES = "differences.txt"


def keep_metadata(run: ReplicationRun, catalog: Catalog, point: RecoveryPoint, folder: Path) -> KeptMetadata | None:
    """Dump the target's metadata into a folder, in place of what a former try left; None when there is no table.

    :param catalog: which has the point.
    """
    report = dump(run.target.database, folder, (), run.access.config.metadata.definers)
    if not report.tables:
        forget(folder)
        return None
    found, reason = _compared(run, catalog, point)
    lines = [reason] if reason else [str(difference) for difference in found]
    (folder / DIFFERENCES).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return KeptMetadata(
        tables=report.tables,
        rows=report.rows,
        sha256=report.sha256,
        differing=dict(Counter(difference.object for difference in found)),
        not_compared=reason,
    )


def _compared(run: ReplicationRun, catalog: Catalog, point: RecoveryPoint) -> tuple[list[Difference], str]:
    """Return how the metadata differ from the point's, or why that cannot be told: the dump is what must be kept."""
    database = run.target.database
    try:
        ensure_point_whole(catalog, point)
        inventory = carried(database, point_inventory(catalog, point), run.access.config.metadata.mapping)
        dumped = catalog.dump_path(point.id)
        with restored_apart(database, dumped, inventory, scratch_key=f"divergence_{point.id}") as scratch:
            return compare_schemas(scratch, database), ""
    except TransientError:
        raise
    except DrError as error:
        log.warning("the metadata of %s cannot be compared with %s: %s", run.target.name, point.id, error)
        return [], str(error)
