"""M1 and M2: our dump and our proof against the client programs alone, between two real servers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from incorta_provider.metadata.dump import DUMP_FILE
from lab.servers.mariadb import MariaDb
from lab.testbed import Pair
from tests.benchmarks.child import in_child
from tests.benchmarks.contest import Contender, Sample, command, compete
from tests.benchmarks.database import COPY, SCHEMA, Database
from tests.benchmarks.ours_metadata import dump_once, prove_once
from tests.benchmarks.report import OURS, Report
from tests.benchmarks.sizes import Size
from tests.benchmarks.trees import warm

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

DUMP_TOOL = "mariadb-dump --single-transaction | zstd"
RESTORE_TOOL = "zstd -d | mariadb"


@pytest.fixture(scope="module")
def databases(mariadb_pair: Pair[MariaDb], size: Size) -> Iterator[Pair[Database]]:
    """The primary with data, and the DR server."""
    pair = Pair(*map(Database, mariadb_pair))
    for database in pair:
        database.admit()
    pair.primary.fill(size.database_mib)
    yield pair
    for database in pair:
        database.run(*(f"DROP DATABASE IF EXISTS {schema}" for schema in (SCHEMA, COPY)))


def test_m1_dump(databases: Pair[Database], scratch: Path, size: Size, metadata_report: Report) -> None:
    primary = databases.primary
    samples = compete(
        Contender(OURS, partial(in_child, dump_once, primary.endpoint, scratch), primary.read_all),
        Contender(DUMP_TOOL, partial(dump_alone, primary, scratch / "theirs.zst"), primary.read_all),
    )
    metadata_report.add(
        "M1",
        "dump with inventory, counts and checksums",
        samples,
        {DUMP_TOOL: 1.25},
        size=f"{size.database_mib:,} MB of SQL, 4 tables",
    )


def test_m2_proof(databases: Pair[Database], scratch: Path, size: Size, metadata_report: Report) -> None:
    primary, dr = databases
    in_child(dump_once, primary.endpoint, scratch)
    theirs = scratch / "theirs.zst"
    dump_alone(primary, theirs)

    def prepare(dump: Path) -> None:
        dr.remake(COPY)
        warm(dump)

    samples = compete(
        Contender(OURS, partial(in_child, prove_once, dr.endpoint, scratch), partial(prepare, scratch / DUMP_FILE)),
        Contender(RESTORE_TOOL, partial(restore_alone, dr, theirs), partial(prepare, theirs)),
    )
    assert not dr.rows(COPY).items() ^ primary.rows(SCHEMA).items()
    metadata_report.add(
        "M2",
        "proof: restore, compare in full, drop",
        samples,
        {RESTORE_TOOL: 1.35},
        size=f"{size.database_mib:,} MB of SQL, 4 tables",
    )


def dump_alone(database: Database, path: Path) -> Sample:
    with database.login_file(path.parent) as login:
        dump = shlex.join(["mariadb-dump", f"--defaults-file={login}", "--single-transaction", SCHEMA])
        return shell(f"{dump} | zstd -q -f -o {shlex.quote(str(path))}")


def restore_alone(database: Database, path: Path) -> Sample:
    with database.login_file(path.parent) as login:
        load = shlex.join(["mariadb", f"--defaults-file={login}", COPY])
        return shell(f"zstd -q -dc {shlex.quote(str(path))} | {load}")


def shell(pipeline: str) -> Sample:
    return command("bash", "-o", "pipefail", "-c", pipeline)
