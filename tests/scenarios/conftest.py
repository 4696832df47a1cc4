"""Two whole sites with Incorta's metadata at the primary, for stories that need no Airflow."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import pytest
from kazoo.client import KazooClient

from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.fencing import unfence_database
from incorta_provider.steps.roles import initialise_roles
from lab.incorta.database import connect
from lab.incorta.install import install
from lab.incorta.settings import NodeSettings, load_settings
from lab.layout import DR, PRIMARY, Lab, Site
from lab.ours.loop import lab_group, one_round
from lab.servers.zookeeper import Ensemble
from lab.workload.at_site import commit_log, workload_site
from lab.workload.dataset import SCHEMAS, load_dataset
from lab.workload.workload import Workload, WorkloadSettings

SMALL = WorkloadSettings(rows=12_000, parts=2, write_seconds=0.02, keep_seconds=0, upload_every=3)
"""Load jobs that take a moment and leave nothing behind that is not live: what tears a careless copy."""


@dataclass(frozen=True)
class Stage:
    """Both sites.

    :ivar primary: the facts that the primary's Incorta starts from.
    :ivar dr: the same of the other site.
    """

    lab: Lab
    access: GroupAccess
    primary: NodeSettings
    dr: NodeSettings

    def workload(self, at: NodeSettings | None = None, **changes: object) -> Workload:
        """Return load jobs at a site; at the primary unless it is named."""
        settings = replace(SMALL, **changes)  # type: ignore[arg-type]
        return Workload(workload_site(at or self.primary), commit_log(self.lab), load_dataset(), settings)

    @contextmanager
    def load_jobs(self, **changes: object) -> Iterator[None]:
        """Run load jobs meanwhile, one after the other."""
        stop = threading.Event()
        workload = self.workload(**changes)

        def work() -> None:
            while not stop.is_set():
                workload.step()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def clear_dr(self) -> None:
        """Empty the DR site: replica, catalog and metadata."""
        empty(self.dr)
        shutil.rmtree(self.lab.site(DR).catalog, ignore_errors=True)
        self.access.site(DR).catalog.initialise(self.access.name, DR)


@pytest.fixture(scope="session")
def make_stage(lab: Lab) -> Callable[[], Stage]:
    """Return what sets the stage afresh: no recovery point, no role, metadata without any load."""

    def make() -> Stage:
        stage = Stage(
            lab=lab,
            access=lab_group(lab),
            primary=load_settings(lab.site(PRIMARY).node(1).home),
            dr=load_settings(lab.site(DR).node(1).home),
        )
        for site in lab.sites:
            unfence_database(stage.access.site(site.name), events=False)
        empty(stage.primary)
        stage.clear_dr()
        for folder in (lab.workload, lab.site(PRIMARY).catalog):
            shutil.rmtree(folder, ignore_errors=True)
        for site in lab.sites:
            forget_roles(site)
        install(stage.primary, SCHEMAS)
        initialise_roles(stage.access, active=PRIMARY, by="the tests")
        return stage

    return make


@pytest.fixture
def stage(make_stage: Callable[[], Stage]) -> Stage:
    """Set the stage."""
    return make_stage()


def empty(settings: NodeSettings) -> None:
    """Remove the files, the outbox and the metadata of a site."""
    settings.outbox.unlink(missing_ok=True)
    shutil.rmtree(settings.storage, ignore_errors=True)
    (settings.storage / settings.tenant).mkdir(parents=True)
    with closing(connect(settings.database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '\\_dr\\_%'")
        for schema in (settings.database.schema, *(name for (name,) in cursor.fetchall())):
            cursor.execute(f"DROP DATABASE {schema}")
        cursor.execute(f"CREATE DATABASE {settings.database.schema}")


def forget_roles(site: Site) -> None:
    """Make a site's registry as it was before the first initialisation."""
    client = KazooClient(hosts=Ensemble(site).hosts, timeout=10)
    client.start()
    try:
        client.delete("/incorta_dr", recursive=True)
    finally:
        client.stop()
        client.close()


@pytest.fixture
def with_point(stage: Stage) -> Stage:
    """Return the stage with one recovery point of two commits, and one commit behind it."""
    workload = stage.workload()
    workload.step()
    workload.step()
    one_round(stage.lab)
    workload.step()
    return stage
