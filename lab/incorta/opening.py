"""What a Loader and an Analytics service do before they start: look whether this site's data belong together.

Raises :class:`~incorta_provider.exceptions.IntegrityError` when they do not, and
:class:`~incorta_provider.exceptions.TransientError` when the metadata database cannot be reached.
"""

from __future__ import annotations

import logging
from contextlib import closing

import pymysql

from incorta_provider.exceptions import IntegrityError, TransientError
from lab.incorta.consistency import check
from lab.incorta.database import Session, connect
from lab.incorta.live import live_tables, newest_commit
from lab.incorta.settings import NodeSettings
from lab.incorta.snapshot import outdated

log = logging.getLogger(__name__)

_SHOWN = 3
_LOOKS = 5


def open_site(settings: NodeSettings) -> None:
    """Check the site, and make again what snapshots are of another commit than the metadata's.

    :raises IntegrityError: files and metadata do not belong together, or a value of another site is left.
    :raises TransientError: the metadata database cannot be reached.
    """
    try:
        session = connect(settings.database)
    except pymysql.MySQLError as error:
        raise TransientError(
            f"the metadata database cannot be reached: {error}",
            where=f"{settings.database.host}:{settings.database.port}",
            fix="Start it, or correct the account in node.json.",
        ) from None
    with closing(session):
        _refuse(settings, _settled_problems(session, settings))
        _refresh_snapshots(session, settings)


def _settled_problems(session: Session, settings: NodeSettings) -> list[str]:
    """Look again when a load job committed meanwhile: what was read before may rightly be gone by then."""
    problems: list[str] = []
    for _ in range(_LOOKS):
        before = newest_commit(session)
        problems = check(session, settings.storage, settings.values)
        if not problems or before == newest_commit(session):
            break
    return problems


def _refuse(settings: NodeSettings, problems: list[str]) -> None:
    if not problems:
        return
    for problem in problems:
        log.error("inconsistent: %s", problem)
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise IntegrityError(
        f"metadata and files do not belong together: {'; '.join(problems[:_SHOWN])}{more}",
        where=f"site {settings.site}",
        fix="Restore both from one recovery point.",
    )


def _refresh_snapshots(session: Session, settings: NodeSettings) -> None:
    old = outdated(settings.storage, settings.tenant, live_tables(session))
    if not old:
        return
    from lab.incorta.rebuild import rebuild  # noqa: PLC0415 - pyarrow takes longer to import than all else here

    for table in old:
        rebuild(session, settings.storage, settings.tenant, table)
        log.info("snapshot of %s rebuilt from Parquet, as of commit %s", table.full_name, table.version)
