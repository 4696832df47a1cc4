"""The scheduler of a site's Loaders: runs the jobs that the metadata call ENABLED.

One Loader of the site does it, the one that holds the node ``scheduler`` in ZooKeeper. A mail is a line in the site's
``outbox.jsonl``. Nobody asks whether the site is the active one: a restored copy mails as soon as a Loader starts on
it, just as the real one would.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pymysql

from lab.incorta.database import Session, connect
from lab.incorta.registry import Registry
from lab.incorta.settings import NodeSettings

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
NODE = "scheduler"

_DUE = """
SELECT ID, NAME, RECIPIENTS FROM SCHEDULED_JOB
WHERE STATUS = 'ENABLED' AND EXISTS (SELECT 1 FROM TENANT WHERE ENABLED = 1)
AND (LAST_RUN IS NULL OR LAST_RUN <= UTC_TIMESTAMP(6) - INTERVAL EVERY_SECONDS SECOND) ORDER BY ID
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is due."""

    job_id: int
    name: str
    recipients: list[str]


@contextmanager
def scheduler(settings: NodeSettings, registry: Registry) -> Iterator[None]:
    """Run due jobs in the background while the block runs, whenever this Loader is the one to do it."""
    stop = threading.Event()
    thread = threading.Thread(target=_loop, args=(settings, registry, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def run_due_jobs(session: Session, settings: NodeSettings) -> list[str]:
    """Run what is due and return the names of the jobs.

    A job is recorded before its mail goes out: a metadata database that takes no writes sends none.
    """
    with session.cursor() as cursor:
        cursor.execute(_DUE)
        due = [Job(row[0], row[1], json.loads(row[2])) for row in cursor.fetchall()]
        for job in due:
            cursor.execute("UPDATE SCHEDULED_JOB SET LAST_RUN = UTC_TIMESTAMP(6) WHERE ID = %s", (job.job_id,))
            cursor.execute("CALL NOTIFY(%s)", (f"{job.name} was sent ✉",))
            _send_mail(session, settings, job)
    return [job.name for job in due]


def interrupt_unfinished_loads(session: Session) -> int:
    """Mark loads that nobody runs any more, and return how many there were."""
    with session.cursor() as cursor:
        return cursor.execute(
            "UPDATE SCHEMA_STATUS SET STATUS = 'Interrupted' WHERE STATUS IN ('In Progress', 'In Queue')"
        )


def _loop(settings: NodeSettings, registry: Registry, stop: threading.Event) -> None:
    was_ours = False
    while not stop.wait(TICK_SECONDS):
        ours = registry.claim(NODE, {"node": settings.node})
        if ours:
            _tick(settings, first=not was_ours)
        was_ours = ours


def _tick(settings: NodeSettings, *, first: bool) -> None:
    try:
        with closing(connect(settings.database)) as session:
            if first:
                log.info("this Loader runs the scheduler; %s load(s) interrupted", interrupt_unfinished_loads(session))
            run_due_jobs(session, settings)
    except pymysql.MySQLError as error:
        log.error("scheduled jobs cannot run: %s", error)


def _send_mail(session: Session, settings: NodeSettings, job: Job) -> None:
    with session.cursor() as cursor:
        cursor.execute("SELECT VALUE FROM SERVER_CONFIG WHERE NAME = 'smtp_host'")
        row = cursor.fetchone()
    mail = {
        "at": datetime.now(UTC).isoformat(),
        "site": settings.site,
        "node": settings.node,
        "job": job.name,
        "to": job.recipients,
        "smtp_host": row[0] if row else None,
    }
    target = os.open(settings.outbox, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(target, json.dumps(mail, ensure_ascii=False).encode() + b"\n")
    finally:
        os.close(target)
