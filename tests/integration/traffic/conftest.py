from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from incorta_provider.connection import ConnectionInfo
from lab.servers.sshd import Sshd


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Run a server that behaves as AWS does, as far as moto knows; return its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@dataclass(frozen=True)
class Zone:
    """A hosted zone, looked into with the SDK itself."""

    id: str
    info: ConnectionInfo
    sdk: Any

    def put(self, **record: Any) -> None:
        changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
        self.sdk.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch={"Changes": changes})

    def records(self, kind: str) -> dict[str, tuple[int, list[str]]]:
        found = self.sdk.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"]
        return {
            each["Name"]: (each["TTL"], [value["Value"] for value in each["ResourceRecords"]])
            for each in found
            if each["Type"] == kind
        }


@pytest.fixture
def zone(moto: str) -> Zone:
    """Return a new hosted zone and the connection to it."""
    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret"}
    sdk = boto3.client("route53", endpoint_url=moto, region_name="us-east-1", **keys)
    made = sdk.create_hosted_zone(Name="acme.example.", CallerReference=str(id(sdk)))["HostedZone"]["Id"]
    extra = {"endpoint_url": moto, "region_name": "us-east-1"}
    info = ConnectionInfo("aws_dns", "aws", login="AKIATEST", password="secret", extra=extra)
    return Zone(made.rpartition("/")[2], info, sdk)


@pytest.fixture
def host(sshd_nodes: dict[str, Sshd]) -> ConnectionInfo:
    """Return the connection to a host with a real sshd."""
    sshd = sshd_nodes["berlin_node1"]
    extra = {"key_file": str(sshd.key_file), "known_hosts_file": str(sshd.known_hosts)}
    return ConnectionInfo("proxy", host=sshd.host, port=sshd.port, login=sshd.user, extra=extra)


@dataclass
class Balancer:
    """A load balancer with a small API on loopback.

    :ivar asked: method, path, who asked, and what was sent.
    """

    server: ThreadingHTTPServer
    active: Any = "b1"
    password: str = "s3cret-of-the-balancer"
    status: int = 200
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)

    def info(self, **changes: Any) -> ConnectionInfo:
        fields: dict[str, Any] = {"password": self.password, "extra": {"scheme": "http"}, **changes}
        return ConnectionInfo("balancer", host="127.0.0.1", port=self.server.server_address[1], **fields)


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    """Run a load balancer."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            who = self.headers.get("Authorization", "")
            found.asked.append((self.command, self.path, who, body))
            status = 401 if who != f"Bearer {found.password}" else found.status
            if status == 200 and self.command == "PUT":
                found.active = body["members"][0]
            payload = json.dumps({"pool": {"active": found.active}, "token": found.password}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_PUT = _answer  # noqa: N815 - as the base class has it

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Balancer(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
