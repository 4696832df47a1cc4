"""M1 to M4: our dump, proof and switch against the client programs alone, between two real servers."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from incorta_provider.metadata.dump import DUMP_FILE
from lab.servers.mariadb import MariaDb
from lab.testbed import Pair
from tests.benchmarks.child import in_child
from tests.benchmarks.contest import Contender, Sample, command, compete
from tests.benchmarks.database import COPY, SCHEMA, Database
from tests.benchmarks.ours_metadata import WINDOW, dump_and_prove_once, dump_once, prove_once, switch_once
from tests.benchmarks.report import OURS, Report
from tests.benchmarks.sizes import Size
from tests.benchmarks.trees import warm

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

DUMP_TOOL = "mariadb-dump --single-transaction | zstd"
RESTORE_TOOL = "zstd -d | mariadb"
REPLACE_TOOL = "DROP DATABASE, zstd -d | mariadb"
BOTH_TOOLS = "the tools of M1 and M2 in turn"


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


def test_m3_switch(databases: Pair[Database], scratch: Path, size: Size, metadata_report: Report) -> None:
    """The time in which the live schema is not whole: ours is the window alone, of a restore that takes longer."""
    primary, dr = databases
    primary.fill_many(size.database_mib, size.switch_tables)
    in_child(dump_once, primary.endpoint, scratch)
    theirs, record = scratch / "theirs.zst", scratch / "record"
    dump_alone(primary, theirs)
    dr.remake(SCHEMA)
    replace_alone(dr, theirs)

    def prepare(dump: Path) -> None:
        shutil.rmtree(record, ignore_errors=True)
        dr.drop_beside()
        warm(dump)

    def switch() -> Sample:
        sample = in_child(switch_once, dr.endpoint, scratch, record)
        return replace(sample, seconds=sample.phases[WINDOW])

    samples = compete(
        Contender(OURS, switch, partial(prepare, scratch / DUMP_FILE)),
        Contender(REPLACE_TOOL, partial(replace_alone, dr, theirs), partial(prepare, theirs)),
    )
    dr.drop_beside()
    metadata_report.add(
        "M3",
        "time without a whole live schema",
        samples,
        {REPLACE_TOOL: 0.05},
        size=f"{size.database_mib:,} MB of SQL, {size.switch_tables} tables",
    )


def test_m4_typical(databases: Pair[Database], scratch: Path, size: Size, metadata_report: Report) -> None:
    primary, dr = databases
    primary.fill(size.typical_mib)
    theirs = scratch / "theirs.zst"

    def both() -> Sample:
        dumped, restored = dump_alone(primary, theirs), restore_alone(dr, theirs)
        return Sample(dumped.seconds + restored.seconds, dumped.cpu_seconds + restored.cpu_seconds)

    def prepare() -> None:
        primary.read_all()
        dr.remake(COPY)

    samples = compete(
        Contender(
            OURS, partial(in_child, dump_and_prove_once, primary.endpoint, dr.endpoint, scratch), primary.read_all
        ),
        Contender(BOTH_TOOLS, both, prepare),
    )
    metadata_report.add(
        "M4",
        "dump to proven",
        samples,
        {BOTH_TOOLS: 2.0},
        size=f"{size.typical_mib:,} MB of SQL, 4 tables",
    )


def dump_alone(database: Database, path: Path) -> Sample:
    with database.login_file(path.parent) as login:
        dump = shlex.join(["mariadb-dump", f"--defaults-file={login}", "--single-transaction", SCHEMA])
        return shell(f"{dump} | zstd -q -f -o {shlex.quote(str(path))}")


def restore_alone(database: Database, path: Path) -> Sample:
    with database.login_file(path.parent) as login:
        load = shlex.join(["mariadb", f"--defaults-file={login}", COPY])
        return shell(f"zstd -q -dc {shlex.quote(str(path))} | {load}")


def replace_alone(database: Database, path: Path) -> Sample:
    with database.login_file(path.parent) as login:
        load = shlex.join(["mariadb", f"--defaults-file={login}"])
        anew = f"DROP DATABASE {SCHEMA}; CREATE DATABASE {SCHEMA}; USE {SCHEMA};"
        return shell(f"{{ echo {shlex.quote(anew)}; zstd -q -dc {shlex.quote(str(path))}; }} | {load}")


def shell(pipeline: str) -> Sample:
    return command("bash", "-o", "pipefail", "-c", pipeline)
