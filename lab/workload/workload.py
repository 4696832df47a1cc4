"""The workload: one load job a step.

A class, so that a test can take one step after the other; ``python -m lab.workload`` takes them in a loop.

Raises :class:`pymysql.MySQLError` when the database refuses or is gone: what was written then is removed by a later
clean-up, as after a crash of a real load job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.incorta.database import Session
from lab.incorta.live import live_tables, newest_commit
from lab.incorta.storage import version_folder
from lab.workload.cleanup import GENTLE_SECONDS, Cleanup
from lab.workload.commit_log import CommitLog, CommitRecord, Phase
from lab.workload.dataset import Dataset
from lab.workload.load_job import FileWriter, LoadedTable, commit_job, set_status, write_snapshots
from lab.workload.plan import JobPlan, next_job
from lab.workload.uploads import plan_upload, store


@dataclass(frozen=True, slots=True)
class WorkloadSettings:
    """How the workload behaves.

    :param rows: of each version of a table that is loaded in parts; 150,000 flights are about 2.5 MB of Parquet.
    :param parts: files of such a version.
    :param write_seconds: how long the writing of one file takes.
    :param keep_seconds: how long a replaced version is kept; 0 removes it at once.
    :param upload_every: how many commits there are to one upload.
    :param seed: decides which tables each job loads.
    """

    rows: int = 150_000
    parts: int = 3
    write_seconds: float = 0.2
    keep_seconds: float = GENTLE_SECONDS
    upload_every: int = 4
    seed: int = 13


@dataclass(frozen=True, slots=True)
class WorkloadSite:
    """The site that the workload runs at.

    :param connect: opens a session at the metadata schema, without autocommit.
    :param storage: the root of the shared storage.
    """

    name: str
    tenant: str
    storage: Path
    connect: Callable[[], Session]


class Workload:
    """Load jobs at one site.

    :param allowed: whether load jobs may run now: a Loader must be there. Asked before a job and again before its
        commit, so that a job is interrupted when the Loader was stopped meanwhile.
    :param pause: waits for the seconds that it is given.
    """

    def __init__(
        self,
        site: WorkloadSite,
        log: CommitLog,
        dataset: Dataset,
        settings: WorkloadSettings | None = None,
        *,
        allowed: Callable[[], bool] = lambda: True,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._site = site
        self._log = log
        self._dataset = dataset
        self._settings = settings or WorkloadSettings()
        self._allowed = allowed
        self._writer = FileWriter(site.storage, site.tenant, self._settings.parts, self._settings.write_seconds, pause)
        self._cleanup = Cleanup(site.storage / site.tenant, self._settings.keep_seconds)

    def step(self) -> CommitRecord | None:
        """Run one load job and what follows it, and return its commit; None when no Loader lets it run."""
        with closing(self._site.connect()) as session:
            self._recover_log(session)
            ids = self._table_ids(session)
            plan = self._plan(session, list(ids))
            if not self._allowed():
                self._say(Phase.WAITING, plan.counter, "no Loader runs")
                return None
            loaded = self._load(session, plan, ids)
            if not self._allowed():
                self._interrupt(session, plan, loaded)
                return None
            record = self._commit(session, plan, loaded)
            self._follow_up(session, plan, loaded)
            return record

    def report(self, phase: Phase, detail: str) -> None:
        """Say what keeps the workload from its next step."""
        self._say(phase, 0, detail)

    def _plan(self, session: Session, tables: list[str]) -> JobPlan:
        logged = max((record.counter for record in self._log.commits()), default=0)
        counter = max(logged, newest_commit(session)) + 1
        loaded = [table.full_name for table in live_tables(session)]
        return next_job(counter, tables, loaded=loaded, seed=self._settings.seed)

    def _load(self, session: Session, plan: JobPlan, ids: dict[str, int]) -> list[LoadedTable]:
        self._say(Phase.LOAD, plan.counter, ", ".join(plan.tables))
        set_status(session, (name.split(".")[0] for name in plan.tables), "In Progress")
        session.commit()
        spill = self._writer.spill(plan.counter)
        loaded = []
        for full_name in plan.tables:
            data = self._dataset.version(full_name.split(".")[1], plan.counter, self._settings.rows)
            loaded.append(self._writer.write_table(ids[full_name], full_name, data, plan.counter))
        spill.unlink()
        return loaded

    def _commit(self, session: Session, plan: JobPlan, loaded: list[LoadedTable]) -> CommitRecord:
        self._say(Phase.COMMIT, plan.counter)
        commit_job(session, plan, loaded)
        record = CommitRecord(plan.counter, datetime.now(UTC), self._site.name, plan.tables)
        self._log.append(record)
        return record

    def _interrupt(self, session: Session, plan: JobPlan, loaded: list[LoadedTable]) -> None:
        set_status(session, (table.schema for table in loaded), "Interrupted")
        session.commit()
        self._say(Phase.WAITING, plan.counter, "the Loader was stopped; the job was interrupted")

    def _follow_up(self, session: Session, plan: JobPlan, loaded: list[LoadedTable]) -> None:
        self._say(Phase.SNAPSHOTS, plan.counter)
        write_snapshots(self._site.storage, self._site.tenant, plan.counter, loaded)
        self._say(Phase.CLEANUP, plan.counter)
        self._cleanup.run(self._live_folders(session), time.monotonic())
        if plan.counter % self._settings.upload_every == 0:
            self._say(Phase.UPLOAD, plan.counter)
            store(
                plan_upload(self._site.tenant, plan.counter // self._settings.upload_every), self._site.storage, session
            )
        self._say(Phase.IDLE, plan.counter)

    def _live_folders(self, session: Session) -> set[Path]:
        tenant, storage = self._site.tenant, self._site.storage
        return {
            storage / version_folder(tenant, table.schema, table.name, table.version) for table in live_tables(session)
        }

    def _recover_log(self, session: Session) -> None:
        """Log the newest commit if a kill came between it and its line in the log."""
        newest = newest_commit(session)
        if newest == 0 or any(record.counter == newest for record in self._log.commits()):
            return
        with session.cursor() as cursor:
            cursor.execute(
                "SELECT T.FULL_NAME FROM LOAD_COMMIT_TABLE C JOIN SCHEMA_TABLE T ON T.ID = C.TABLE_ID "
                "WHERE C.COUNTER = %s ORDER BY T.ID",
                (newest,),
            )
            tables = tuple(row[0] for row in cursor.fetchall())
        self._log.append(CommitRecord(newest, datetime.now(UTC), self._site.name, tables))

    def _table_ids(self, session: Session) -> dict[str, int]:
        with session.cursor() as cursor:
            cursor.execute("SELECT FULL_NAME, ID FROM SCHEMA_TABLE ORDER BY ID")
            return {row[0]: row[1] for row in cursor.fetchall()}

    def _say(self, phase: Phase, counter: int, detail: str = "") -> None:
        self._log.say(phase, counter=counter, site=self._site.name, at=datetime.now(UTC), detail=detail)
