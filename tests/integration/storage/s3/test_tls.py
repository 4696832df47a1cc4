"""A real S3 server over TLS: with its own CA, through a proxy, as an assumed role, with a certificate of the client."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, DrError
from incorta_provider.storage.copying.work_pool import Limits
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3 import copiers
from incorta_provider.storage.s3.address import open_bucket
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.copiers import Staging
from incorta_provider.storage.s3.foldered import FolderedTree
from incorta_provider.storage.s3.place import Place
from incorta_provider.storage.s3.session import open_access
from incorta_provider.storage.s3.target import S3Target
from incorta_provider.storage.s3.tree import S3Tree
from lab.layout import Lab
from lab.servers.ceph import REGION, CephS3
from lab.servers.server import start
from lab.supervisor import Supervisor
from tests.builders.gateways import TlsGateway
from tests.builders.peer import EMPTY, Peer, answering, certificates, server_tls, serving
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.storage import put as write
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def gateway(s3_server: CephS3, lab_layout: Lab) -> TlsGateway:
    made = TlsGateway(s3_server)
    start(made, Supervisor(lab_layout))
    return made


def opened(site: TestBucket, gateway: TlsGateway, user: str = "lab", **extra: Any) -> Bucket:
    keys = site.server.user(user)
    settings = {"endpoint_url": gateway.endpoint, "region_name": REGION, "verify": gateway.ca, **extra}
    info = ConnectionInfo("aws_tls", "aws", login=keys.access, password=keys.secret, extra=settings)
    return open_bucket(f"s3://aws_tls@{site.name}/root", lambda _: info)


FILES = {
    "a": b"1",
    "d/large": bytes(range(256)) * 8000,
    "d/parts": b"p" * (5 * MIB),
    "ü ;'\n": b"<Error><Code>NoSuchKey</Code></Error>",
}


@pytest.fixture(autouse=True)
def in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Staging, "limits", Limits(workers=2, batch_files=20, helpers_from=None))


def test_files_go_to_a_bucket_and_back_over_tls(
    tmp_path: Path, s3_server: CephS3, gateway: TlsGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small and large bodies, an upload in parts, a deep comparison, deletions; then copies from bucket to bucket."""
    monkeypatch.setattr(copiers, "SMALL_BYTES", MIB)
    monkeypatch.setattr(copiers, "SINGLE_BYTES", 4 * MIB)
    site = make_bucket(s3_server)
    (tmp_path / "source").mkdir()
    write(tmp_path / "source", FILES)
    bucket = opened(site, gateway)
    there = Replication(tmp_path, LocalTree(tmp_path / "source"), lambda catalog: S3Target(bucket, catalog), site)
    there.replicate("A")
    assert there.content() == {name.encode(): content for name, content in FILES.items()}
    (tmp_path / "source" / "a").unlink()
    there.replicate("B")
    assert b"a" not in there.content()
    assert there.verify("B").equal
    back = make_bucket(s3_server)
    (tmp_path / "back").mkdir()
    again = opened(back, gateway)
    home = Replication(tmp_path / "back", FolderedTree(bucket), lambda catalog: S3Target(again, catalog), back)
    home.replicate("A")
    assert home.content() == there.content()


def test_a_ca_that_is_not_trusted_is_a_setting(s3_server: CephS3, gateway: TlsGateway) -> None:
    bucket = opened(make_bucket(s3_server), gateway, verify=True)
    with pytest.raises(ConfigurationError, match="certificate verify failed"):
        list(S3Tree(bucket).list())


def test_a_role_of_a_real_sts_copies(
    tmp_path: Path, s3_server: CephS3, gateway: TlsGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who assumes it has no right to the bucket: what arrives was signed with the role's keys and its token."""
    monkeypatch.setenv("AWS_CA_BUNDLE", gateway.ca)
    site = make_bucket(s3_server)
    s3_server.user("assumer")
    plain = opened(site, gateway, "assumer", verify=None)
    with pytest.raises(DrError, match="AccessDenied"):
        list(S3Tree(plain).list())
    role = gateway.make_role("dr", by="assumer", bucket=site.name)
    bucket = opened(
        site, gateway, "assumer", verify=None, role_arn=role, service_config={"sts": {"endpoint_url": gateway.endpoint}}
    )
    assert bucket.access.keys.token
    assert bucket.access.keys.expires is not None
    (tmp_path / "source").mkdir()
    write(tmp_path / "source", {"a": b"1", "b": b"2" * MIB})
    run = Replication(tmp_path, LocalTree(tmp_path / "source"), lambda catalog: S3Target(bucket, catalog), site)
    run.replicate("A")
    assert [(entry.path, entry.size) for entry in S3Tree(bucket).list()] == [(b"a", 1), (b"b", MIB)]
    assert run.verify("A").equal
    old = replace(bucket.access.keys, expires=1.0)
    assert Bucket(bucket.place, replace(bucket.access, keys=old)).send(Request("HEAD", b"root/a")).status == 200


class Proxy:
    """A proxy that takes CONNECT from one user."""

    def __init__(self, user: str) -> None:
        self._wanted = b"Proxy-Authorization: Basic " + base64.b64encode(user.encode())

    def __call__(self, peer: Peer, connection: socket.socket) -> None:
        head = peer.request(connection)
        if self._wanted not in head.split(b"\r\n"):
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _pass_on(connection, server)


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            for end in select.select([client, server], [], [])[0]:
                if not (piece := end.recv(65536)):
                    return
                (server if end is client else client).sendall(piece)


def proxied(port: int, user: str) -> dict[str, Any]:
    return {"config_kwargs": {"proxies": {"https": f"http://{user}@127.0.0.1:{port}"}}}


def test_a_proxy_is_dialled_as_the_connection_says(s3_server: CephS3, gateway: TlsGateway) -> None:
    site = make_bucket(s3_server)
    site.put({"a": b"1"})
    with serving(Proxy("dr:se cret")) as proxy:
        bucket = opened(site, gateway, **proxied(proxy.port, "dr:se%20cret"))
        assert [entry.path for entry in S3Tree(bucket).list()] == [b"a"]
        assert proxy.heads[0].split(b"\r\n")[0] == b"CONNECT 127.0.0.1:%d HTTP/1.1" % gateway.port
        refused = opened(site, gateway, **proxied(proxy.port, "dr:wrong"))
        with pytest.raises(ConfigurationError, match="the proxy refused the connection with status 407"):
            list(S3Tree(refused).list())


def test_a_proxy_of_another_kind_is_refused(s3_server: CephS3, gateway: TlsGateway) -> None:
    with pytest.raises(ConfigurationError, match="by socks5 is not supported"):
        opened(make_bucket(s3_server), gateway, config_kwargs={"proxies": {"https": "socks5://127.0.0.1:1080"}})


def test_a_certificate_of_the_client_is_shown(tmp_path: Path) -> None:
    made = certificates(tmp_path / "certificates")
    own = [str(made.certificate("client")), str(made.key("client"))]
    with serving(answering(EMPTY), server_tls(made, asks_client=True)) as server:
        extra = {"endpoint_url": f"https://127.0.0.1:{server.port}", "region_name": "r", "verify": str(made.ca)}
        info = ConnectionInfo("aws_tls", "aws", login="AK", password="SK", extra=extra)
        shown = ConnectionInfo(
            "aws_tls", "aws", login="AK", password="SK", extra={**extra, "config_kwargs": {"client_cert": own}}
        )
        assert Bucket(Place("aws_tls", "b"), open_access(shown, "b")).send(Request("HEAD", b"a")).status == 200
        with pytest.raises(ConfigurationError, match=r"(?i)certificate.required"):
            Bucket(Place("aws_tls", "b"), open_access(info, "b")).send(Request("HEAD", b"a"))
