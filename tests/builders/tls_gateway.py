"""A second gateway of the lab's S3 server, for what the first one does not do: TLS, and roles by STS."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.servers.ceph import CephS3
from lab.servers.certificates import Certificates


@dataclass(frozen=True)
class TlsGateway:
    """The gateway: same users and buckets, another port."""

    ceph: CephS3

    name = "s3-rgw-tls"
    site_name = ""

    @cached_property
    def port(self) -> int:
        """A free port."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            return int(probe.getsockname()[1])

    @property
    def endpoint(self) -> str:
        """The URL."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificates(self) -> Certificates:
        """Its own CA, and what that signed."""
        return Certificates(self.ceph.folder / "certificates")

    @property
    def ca(self) -> str:
        """The file of the CA."""
        return str(self.certificates.ca)

    @property
    def ports(self) -> Sequence[int]:
        """Where it listens."""
        return (self.port,)

    @property
    def log(self) -> Path:
        """Its log."""
        return self.ceph.folder / "rgw-tls.log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Where the configuration is."""
        return {"CEPH_CONF": str(self.ceph.conf)}

    def prepare(self) -> None:
        """Make the certificates."""
        self.certificates.folder.mkdir(exist_ok=True)
        self.certificates.make()

    def command(self) -> Sequence[str]:
        """Return the command line."""
        certificate, key = self.certificates.certificate("server"), self.certificates.key("server")
        tls = f"ssl_endpoint=127.0.0.1:{self.port} ssl_certificate={certificate} ssl_private_key={key}"
        sts = ("--rgw_s3_auth_use_sts=true", f"--rgw_sts_key={secrets.token_hex(8)}")
        return (
            "radosgw",
            "-n",
            "client.rgw.lab",
            "-c",
            str(self.ceph.conf),
            "-f",
            f"--rgw_frontends=beast {tls}",
            *sts,
        )

    def not_ready(self) -> str:
        """Return why it cannot be used yet."""
        context = ssl.create_default_context(cafile=self.ca)
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5, context=context) as answer:
                return "" if answer.status == 200 else f"status {answer.status}"
        except (urllib.error.URLError, OSError) as error:
            return str(error)

    def make_role(self, name: str, *, by: str, bucket: str) -> str:
        """Make a role that a user may assume and that may do everything in one bucket; return its ARN."""
        may_assume = {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam:::user/{by}"]},
            "Action": ["sts:AssumeRole"],
        }
        places = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        may_do = {"Effect": "Allow", "Action": ["s3:*"], "Resource": places}
        self._role(
            "role", "create", f"--role-name={name}", "--path=/", f"--assume-role-policy-doc={_policy(may_assume)}"
        )
        policy = ("--policy-name=all", f"--policy-doc={_policy(may_do)}")
        self._role("role-policy", "put", f"--role-name={name}", *policy)
        return f"arn:aws:iam:::role/{name}"

    def _role(self, *argv: str) -> None:
        self.ceph.run("radosgw-admin", "-n", "client.rgw.lab", *argv)


def _policy(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
