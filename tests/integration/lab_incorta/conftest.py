"""Two sites with homes and databases, in which tests put data and which they break."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from lab.incorta.database import Session, connect
from lab.incorta.install import fill, install
from lab.incorta.settings import NodeSettings, load_settings
from lab.incorta_home import write_home
from lab.layout import Lab, Site
from lab.passwords import passwords
from lab.servers.mariadb import MariaDb
from lab.testbed import Pair
from lab.workload.at_site import workload_site
from lab.workload.commit_log import CommitLog
from lab.workload.dataset import SCHEMAS, load_dataset
from lab.workload.workload import Workload, WorkloadSettings

SMALL = WorkloadSettings(rows=12_000, parts=2, write_seconds=0, keep_seconds=0, upload_every=2)
"""Jobs that take a moment, and leave nothing behind that is not live."""


@pytest.fixture(scope="session")
def sites(lab_layout: Lab, mariadb_pair: Pair[MariaDb]) -> Pair[Site]:
    """Lend both sites, with their databases up and their homes written."""
    drawn = passwords(lab_layout)
    for site in lab_layout.sites:
        site.tenant.mkdir(parents=True, exist_ok=True)
        for node in site.nodes:
            write_home(node, drawn.sites[site.name])
    return Pair(*lab_layout.sites)


@pytest.fixture(scope="session")
def make_primary(sites: Pair[Site]) -> Callable[[], NodeSettings]:
    """Return what installs the primary afresh: metadata without any load, and no files.

    Tables that are there already are only emptied: making them takes a database ten times as long.
    """

    def make() -> NodeSettings:
        settings = load_settings(sites.primary.node(1).home)
        empty_storage(settings)
        shutil.rmtree(sites.primary.lab.workload, ignore_errors=True)
        if not install(settings, SCHEMAS):
            refill(settings)
        return settings

    return make


@pytest.fixture
def primary(make_primary: Callable[[], NodeSettings]) -> NodeSettings:
    """Install the primary afresh."""
    return make_primary()


@pytest.fixture
def new_schema_afterwards(primary: NodeSettings) -> Iterator[None]:
    """Throw the primary's schema away after a test that damages its objects."""
    yield
    empty_schema(primary)


@pytest.fixture
def dr(sites: Pair[Site]) -> NodeSettings:
    """Lend the other site, with an empty schema and no files."""
    settings = load_settings(sites.dr.node(1).home)
    empty_storage(settings)
    empty_schema(settings)
    return settings


@pytest.fixture
def session(primary: NodeSettings) -> Iterator[Session]:
    """Open a session at the primary's metadata."""
    with closing(connect(primary.database)) as opened:
        yield opened


@pytest.fixture
def root_at_primary(mariadb_pair: Pair[MariaDb]) -> Iterator[Session]:
    """Open a session of the primary's database administrator."""
    with closing(mariadb_pair.primary.connect()) as opened:
        yield opened


@pytest.fixture
def log(sites: Pair[Site]) -> CommitLog:
    """Return the workload's own log."""
    return CommitLog(sites.primary.lab.workload)


@pytest.fixture
def make_workload(primary: NodeSettings, log: CommitLog) -> Callable[..., Workload]:
    """Return what makes a workload at the primary; keywords change its settings."""

    def make(
        *, allowed: Callable[[], bool] = lambda: True, pause: Callable[[float], None] = time.sleep, **changes: Any
    ) -> Workload:
        settings = replace(SMALL, **changes)
        return Workload(workload_site(primary), log, load_dataset(), settings, allowed=allowed, pause=pause)

    return make


def empty_storage(settings: NodeSettings) -> None:
    """Remove the files and the outbox of a site."""
    settings.outbox.unlink(missing_ok=True)
    shutil.rmtree(settings.storage)
    (settings.storage / settings.tenant).mkdir(parents=True)


def empty_schema(settings: NodeSettings) -> None:
    """Make the metadata schema of a site anew, with nothing in it."""
    with closing(connect(settings.database)) as session, session.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {settings.database.schema}")
        cursor.execute(f"CREATE DATABASE {settings.database.schema}")


def refill(settings: NodeSettings) -> None:
    """Empty every table and put the first rows in again."""
    with closing(connect(settings.database, autocommit=False)) as session:
        with session.cursor() as cursor:
            cursor.execute("SHOW FULL TABLES WHERE TABLE_TYPE = 'BASE TABLE'")
            names = [row[0] for row in cursor.fetchall()]
            cursor.execute("SET SESSION foreign_key_checks = 0")
            for name in names:
                cursor.execute(f"DELETE FROM {name}")
            session.commit()
            cursor.execute("SET SESSION foreign_key_checks = 1")
        fill(session, settings, SCHEMAS)
