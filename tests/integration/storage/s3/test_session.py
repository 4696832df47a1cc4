"""What an AWS connection says is honoured, by the amazon provider's own machinery."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.s3.access import Keys
from incorta_provider.storage.s3.address import open_bucket
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.place import Place
from incorta_provider.storage.s3.session import open_access, renewed
from incorta_provider.storage.s3.tree import S3Tree
from incorta_provider.storage.url import open_target, open_tree
from lab.servers.ceph import CephS3
from tests.builders.s3 import make_bucket

pytestmark = pytest.mark.lab


def aws(**extra: Any) -> ConnectionInfo:
    return ConnectionInfo("aws_dr", "aws", login="AK", password="SK", extra=extra)


def test_an_endpoint_gives_a_path_and_amazon_a_host() -> None:
    own = open_access(aws(endpoint_url="http://127.0.0.1:9000", region_name="r"), "b")
    assert own.base == "http://127.0.0.1:9000/b"
    access = open_access(aws(region_name="eu-west-1"), "bucket")
    assert access.base == "https://bucket.s3.eu-west-1.amazonaws.com"
    assert access.region == "eu-west-1"
    style = {"config_kwargs": {"s3": {"addressing_style": "path"}}}
    by_path = open_access(aws(region_name="eu-west-1", **style), "bucket")
    assert by_path.base == "https://s3.eu-west-1.amazonaws.com/bucket"


def test_buckets_of_one_connection_have_their_own_addresses() -> None:
    """They share a client, which must not go on answering for the bucket before."""
    info = aws(region_name="eu-west-1")
    bases = [open_access(info, name).base for name in ("one", "two", "one")]
    assert bases == [f"https://{name}.s3.eu-west-1.amazonaws.com" for name in ("one", "two", "one")]


def test_keys_token_tls_and_proxy_are_taken_from_the_connection() -> None:
    info = aws(
        aws_session_token="token",
        verify="/etc/ssl/own.pem",
        region_name="r",
        config_kwargs={"proxies": {"https": "http://proxy:3128"}, "connect_timeout": 3, "client_cert": ["/c", "/k"]},
        service_config={"s3": {"endpoint_url": "https://s3.example.com"}},
    )
    access = open_access(info, "b")
    assert access.base == "https://s3.example.com/b"
    assert (access.keys.access, access.keys.secret, access.keys.token) == ("AK", "SK", "token")
    assert (access.verify, access.certificate) == ("/etc/ssl/own.pem", ("/c", "/k"))
    assert (access.proxy, access.connect_seconds) == ("http://proxy:3128", 3)
    assert "SK" not in repr(access)
    assert "token" not in repr(access.keys)


def test_an_anonymous_connection_signs_nothing() -> None:
    assert open_access(aws(config_kwargs={"signature_version": "unsigned"}), "b").keys == Keys("", "")


def test_a_profile_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigurationError, match="no-such-profile"):
        open_access(ConnectionInfo("aws_dr", "aws", extra={"profile_name": "no-such-profile"}), "b")


class _Roles(BaseHTTPRequestHandler):
    """A stand-in for STS: answers each request for a role with keys that expire in an hour."""

    asked: list[dict[str, list[str]]]
    keys: Keys

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.asked.append(form)
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"<AccessKeyId>{self.keys.access}</AccessKeyId><SecretAccessKey>{self.keys.secret}</SecretAccessKey>"
            f"<SessionToken></SessionToken><Expiration>{until}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_role_is_assumed_with_its_external_id_and_renewed(s3_server: CephS3) -> None:
    source = make_bucket(s3_server)
    source.put({"a": b"1"})
    keys = s3_server.user("lab")
    handler = type("Handler", (_Roles,), {"asked": [], "keys": Keys(keys.access, keys.secret)})
    with serving(handler) as place:
        info = aws(
            role_arn="arn:aws:iam::123456789012:role/dr",
            assume_role_kwargs={"ExternalId": "four-eyes"},
            endpoint_url=s3_server.endpoint,
            region_name="default",
            service_config={"sts": {"endpoint_url": f"http://{place}"}},
        )
        bucket = open_bucket(f"s3://aws_dr@{source.name}/root", lambda _: info)
        assert handler.asked[0]["ExternalId"] == ["four-eyes"]
        keys_of_role = bucket.access.keys
        assert keys_of_role.renewable
        assert keys_of_role.expires is not None
        assert [entry.path for entry in S3Tree(bucket).list()] == [b"a"]
        assert renewed(info).access == keys.access
        asked = len(handler.asked)
        stale = replace(bucket.access, keys=replace(keys_of_role, expires=1.0))
        assert Bucket(bucket.place, stale).send(Request("HEAD", b"root/a")).status == 200
        assert len(handler.asked) > asked


class _Refusing(BaseHTTPRequestHandler):
    """A stand-in for STS that gives nothing."""

    status: int
    code: str

    def do_POST(self) -> None:
        body = f"<ErrorResponse><Error><Code>{self.code}</Code><Message>no</Message></Error></ErrorResponse>".encode()
        self.send_response(self.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def role_from(place: str) -> ConnectionInfo:
    return aws(
        role_arn="arn:aws:iam::123456789012:role/dr",
        region_name="default",
        endpoint_url="http://127.0.0.1:1",
        service_config={"sts": {"endpoint_url": f"http://{place}"}},
        config_kwargs={"retries": {"max_attempts": 0}},
    )


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "ServiceUnavailable", TransientError),
        (400, "Throttling", TransientError),
        (403, "AccessDenied", ConfigurationError),
    ],
)
def test_who_gives_no_role_now_may_give_it_later(status: int, code: str, kind: type[DrError]) -> None:
    handler = type("Handler", (_Refusing,), {"status": status, "code": code})
    with serving(handler) as place:
        for ask in (lambda info: open_access(info, "b"), renewed):
            with pytest.raises(kind, match=code):
                ask(role_from(place))


def test_an_sts_that_is_away_is_transient() -> None:
    with pytest.raises(TransientError, match="nobody gives keys for the connection now"):
        open_access(role_from("127.0.0.1:1"), "b")


def test_keys_of_a_machine_that_gives_none_now_are_transient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To open a connection without keys is a setting; to renew what there was before is not."""
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    info = ConnectionInfo("aws_dr", "aws", extra={"region_name": "r", "endpoint_url": "http://127.0.0.1:1"})
    with pytest.raises(ConfigurationError, match="no keys in the connection"):
        open_access(info, "b")
    with pytest.raises(TransientError, match="gives none now"):
        renewed(info)


def test_a_bucket_is_opened_by_its_url(s3_server: CephS3, tmp_path: Path) -> None:
    source = make_bucket(s3_server)
    source.put({"a": b"1"})

    def find(conn_id: str) -> ConnectionInfo:
        assert conn_id == "aws_dr"
        return s3_server.connection("aws_dr")

    tree = open_tree(f"s3://aws_dr@{source.name}/root", find)
    assert [entry.path for entry in tree.list()] == [b"a"]
    catalog = Catalog(tmp_path / "catalog")
    catalog.initialise("acme", "newyork")
    open_target(f"s3://aws_dr@{source.name}/root", catalog, find).check()


class _Hello(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.send_header("x-amz-version-id", "v")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_certificates_are_checked_as_the_connection_says(tmp_path: Path) -> None:
    names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    files = ("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with serving(_Hello, context) as place:

        def head(verify: bool | str) -> int:
            access = open_access(aws(endpoint_url=f"https://{place}", verify=verify, region_name="r"), "b")
            return Bucket(Place("aws_dr", "b"), access, patience=0).send(Request("HEAD", b"a")).status

        assert head(str(tmp_path / "cert.pem")) == 200
        assert head(verify=False) == 200
        with pytest.raises(ConfigurationError, match="certificate verify failed"):
            head(verify=True)
