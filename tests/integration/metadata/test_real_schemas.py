"""Schemas and data of real applications, as Debian packages ship them, come through dump, proof and restore equal.

The packages are downloaded and unpacked, never installed.
"""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.exceptions import PreconditionError
from incorta_provider.metadata.client import find_program
from incorta_provider.metadata.comparison import compare_schemas
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.prove import prove, restored_apart
from incorta_provider.metadata.rewrite import Replace, rewrite
from incorta_provider.metadata.scan import scan
from incorta_provider.metadata.undo import undo
from tests.integration.metadata.conftest import Dumped

pytestmark = [pytest.mark.lab, pytest.mark.schemas, pytest.mark.timeout(1800)]

ZABBIX = "usr/share/zabbix-server-mysql"


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the content of the packages."""
    folder = tmp_path_factory.mktemp("packages")
    names = ["zabbix-server-mysql", "bacula-director-mysql", "mediawiki"]
    subprocess.run(["apt-get", "download", *names], cwd=folder, check=True, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder


def read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def fill(place: Any, *scripts: Path) -> None:
    """Run scripts as root, by the client that their authors use."""
    login = ["--user=root", f"--socket={place.server.socket}"]
    subprocess.run(
        [find_program("sql"), "--no-defaults", "--default-character-set=utf8mb4", *login, place.endpoint.schema],
        input=b"\n".join(map(read, scripts)),
        env={**os.environ, "MYSQL_PWD": place.server.root_password},
        check=True,
    )


@pytest.fixture(params=["zabbix", "bacula", "mediawiki"])
def application(request: pytest.FixtureRequest, unpacked: Path, primary: Any, tmp_path: Path) -> tuple[Any, int, int]:
    """Return the primary with one application's schema, and how many tables and rows it has at least."""
    if request.param == "zabbix":
        primary.run(f"ALTER DATABASE `{primary.endpoint.schema}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        fill(primary, *(unpacked / ZABBIX / f"{name}.sql.gz" for name in ("schema", "images", "data")))
        return primary, 170, 40_000
    if request.param == "bacula":
        fill(primary, unpacked / "usr/share/dbconfig-common/data/bacula-director-mysql/install/mysql")
        return primary, 25, 20
    fill(primary, unpacked / "usr/share/mediawiki/maintenance/tables-generated.sql")
    with pytest.raises(PreconditionError, match=r"`searchindex` \(MyISAM, base table\)"):
        dump(primary.endpoint, tmp_path)
    primary.run(
        "ALTER TABLE searchindex ENGINE = InnoDB",
        "INSERT INTO page (page_namespace, page_title, page_random, page_touched, page_latest, page_len) "
        "SELECT seq MOD 4, CONCAT('Größe_', seq), RAND(), '20240101000000', seq, seq FROM seq_1_to_500",
    )
    return primary, 50, 500


def test_a_real_application_comes_through_equal(
    application: tuple[Any, int, int], dr: Any, folder: Path, tmp_path: Path
) -> None:
    primary, tables, rows = application
    report = dump(primary.endpoint, folder)
    assert report.tables >= tables
    assert report.rows >= rows
    dumped = Dumped(folder)
    assert prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="real") == []
    with restored_apart(dr.endpoint, dumped.dump, dumped.inventory, scratch_key="real") as copy:
        assert compare_schemas(primary.endpoint, copy) == []


def test_values_of_a_real_application_are_rewritten_and_put_back(unpacked: Path, primary: Any, dr: Any) -> None:
    for place in (primary, dr):
        place.run(f"ALTER DATABASE `{place.endpoint.schema}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        fill(place, *(unpacked / ZABBIX / f"{name}.sql.gz" for name in ("schema", "images", "data")))
    needles = {"vendor": "www.zabbix.com"}
    found = scan(dr.endpoint, needles)
    columns = [tuple(part.strip("`") for part in each.place.split(".")) for each in found if each.rows]
    assert len(columns) > 1
    rules = [Replace(table, column, "www.zabbix.com", "wiki.example") for table, column in columns]
    done = rewrite(dr.endpoint, rules, keep=lambda _: None)
    assert len(done.changes) == sum(each.rows for each in found)
    assert scan(dr.endpoint, needles) == []
    changed = [difference for difference in compare_schemas(primary.endpoint, dr.endpoint) if "row " in difference.what]
    assert len(changed) >= len({table for table, _ in columns})
    assert undo(dr.endpoint, done) == len(done.changes)
    assert compare_schemas(primary.endpoint, dr.endpoint) == []
