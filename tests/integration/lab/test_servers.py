"""Each real server of the lab does its work, and not only listens."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import boto3
import pymysql
import pytest
import yaml
from botocore.exceptions import ClientError
from kazoo.client import KazooClient
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from incorta_provider.connection import connections_from_file
from incorta_provider.dr.topology import Topology
from lab.layout import Lab
from lab.servers.ceph import REGION, CephS3, Keys
from lab.servers.mariadb import MariaDb
from lab.servers.sshd import Sshd
from lab.servers.zookeeper import Ensemble
from lab.testbed import Pair
from lab.up import status

pytestmark = pytest.mark.lab


def test_each_database_has_the_settings_of_its_site(mariadb_pair: Pair[MariaDb]) -> None:
    names = "@@global.time_zone, @@binlog_format, @@log_bin, @@event_scheduler, @@server_id"
    found = []
    for server in mariadb_pair:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT {names}")
            found.append(cursor.fetchone())
    assert found == [("+01:00", "ROW", 1, "ON", 1), ("-05:00", "ROW", 1, "ON", 2)]


def test_each_ensemble_has_one_leader_and_keeps_what_is_written(zookeeper_pair: Pair[Ensemble]) -> None:
    for ensemble in zookeeper_pair:
        assert sorted(member.mode() for member in ensemble.members) == ["follower", "follower", "leader"]
        client = KazooClient(hosts=ensemble.hosts)
        client.start(timeout=15)
        client.create("/proof", b"written")
        assert client.get("/proof")[0] == b"written"
        client.delete("/proof")
        client.stop()
        client.close()


def test_a_session_has_the_clock_and_the_markers_of_its_site(sshd_nodes: dict[str, Sshd]) -> None:
    for name, sshd in sshd_nodes.items():
        answer = _ssh(sshd, "echo $TZ; echo $INCORTA_LAB_SITE")
        site = sshd.node.site
        assert answer.splitlines() == [site.timezone, str(site.root)], name


def test_the_s3_server_keeps_the_versions_of_an_object_and_refuses_a_wrong_signature(s3_server: CephS3) -> None:
    keys = s3_server.user("lab")
    client = s3_client(s3_server, keys)
    client.create_bucket(Bucket="proof")
    client.put_bucket_versioning(Bucket="proof", VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket="proof", Key="one", Body=b"old")["VersionId"]
    client.put_object(Bucket="proof", Key="one", Body=b"new")
    assert client.get_object(Bucket="proof", Key="one", VersionId=first)["Body"].read() == b"old"
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3_client(s3_server, Keys(keys.access, "wrong")).list_buckets()


def s3_client(server: CephS3, keys: Keys) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=keys.access,
        aws_secret_access_key=keys.secret,
    )


def login(server: MariaDb, user: str, password: str) -> Connection[Cursor]:
    return pymysql.connect(host=server.host, port=server.port, user=user, password=password)


def _ssh(sshd: Sshd, command: str) -> str:
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={sshd.known_hosts}"]
    target = ["-i", str(sshd.key_file), "-p", str(sshd.port), f"{sshd.user}@{sshd.host}"]
    return subprocess.run(["ssh", *options, *target, command], check=True, capture_output=True, text=True).stdout


def test_the_account_may_prove_dumps_in_scratch_schemas_only(mariadb_pair: Pair[MariaDb]) -> None:
    server = mariadb_pair.dr
    with login(server, server.user, server.password) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE `_dr_proof_rights`")
        cursor.execute("DROP DATABASE `_dr_proof_rights`")
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            cursor.execute("CREATE DATABASE `xdrxproofxrights`")


def test_the_fencing_account_can_lock_the_other_one(mariadb_pair: Pair[MariaDb]) -> None:
    server = mariadb_pair.dr
    with login(server, "incorta_dr", server.passwords.mysql_dr) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER USER incorta@'127.0.0.1' ACCOUNT LOCK")
        with pytest.raises(pymysql.err.OperationalError, match="account is locked"):
            login(server, server.user, server.password)
        cursor.execute("ALTER USER incorta@'127.0.0.1' ACCOUNT UNLOCK")
        cursor.execute("SET GLOBAL read_only = 1")
        cursor.execute("SET GLOBAL read_only = 0")


def test_the_whole_lab_is_ready_beside_the_parts_that_other_tests_started(
    lab: Lab, mariadb_pair: Pair[MariaDb]
) -> None:
    assert {server.reason for server in status(lab)} == {""}
    find = connections_from_file(lab.connections_file)
    for server in mariadb_pair:
        info = find(f"{server.site.name}_metadata")
        assert (info.port, info.password, info.schema) == (server.port, server.password, server.schema)
    groups = Topology.model_validate(yaml.safe_load(lab.topology_file.read_text())).groups
    assert [Path(site.storage.removeprefix("file://")).is_dir() for site in groups["acme"].sites.values()] == [True] * 2
