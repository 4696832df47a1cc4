"""More gateways of the lab's S3 server, for what the first one does not do: TLS, roles by STS, another region."""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.request
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.servers.ceph import CephS3
from lab.servers.certificates import Certificates


@dataclass(frozen=True)
class Gateway(ABC):
    """One more gateway: same users and buckets, another port."""

    ceph: CephS3

    site_name = ""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the process."""

    @property
    @abstractmethod
    def endpoint(self) -> str:
        """The URL."""

    @abstractmethod
    def options(self) -> Sequence[str]:
        """Return what it is told besides."""

    @property
    @abstractmethod
    def port(self) -> int:
        """Its port, one of the lab's: the kernel may give away a free one before the gateway has it."""

    @property
    def ports(self) -> Sequence[int]:
        """Where it listens."""
        return (self.port,)

    @property
    def log(self) -> Path:
        """Its log."""
        return self.ceph.folder / f"{self.name}.log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Where the configuration is."""
        return {"CEPH_CONF": str(self.ceph.conf)}

    @property
    def tls(self) -> ssl.SSLContext | None:
        """How its certificate is checked."""
        return None

    @abstractmethod
    def prepare(self) -> None:
        """Make what it needs."""

    def command(self) -> Sequence[str]:
        """Return the command line."""
        return ("radosgw", "-n", "client.rgw.lab", "-c", str(self.ceph.conf), "-f", *self.options())

    def not_ready(self) -> str:
        """Return why it cannot be used yet."""
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5, context=self.tls) as answer:
                return "" if answer.status == 200 else f"status {answer.status}"
        except (urllib.error.URLError, OSError) as error:
            return str(error)

    def _admin(self, *argv: str) -> str:
        return self.ceph.run("radosgw-admin", "-n", "client.rgw.lab", *argv)


class TlsGateway(Gateway):
    """Speaks TLS, and gives roles by STS."""

    name = "s3-rgw-tls"

    @property
    def port(self) -> int:
        """Its port."""
        return self.ceph.lab.port("s3_tls")

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
    def tls(self) -> ssl.SSLContext:
        """How its certificate is checked."""
        return ssl.create_default_context(cafile=self.ca)

    def prepare(self) -> None:
        """Make the certificates."""
        self.certificates.folder.mkdir(exist_ok=True)
        self.certificates.make()

    def options(self) -> Sequence[str]:
        """Return what it is told besides."""
        certificate, key = self.certificates.certificate("server"), self.certificates.key("server")
        tls = f"ssl_endpoint=127.0.0.1:{self.port} ssl_certificate={certificate} ssl_private_key={key}"
        return (f"--rgw_frontends=beast {tls}", "--rgw_s3_auth_use_sts=true", f"--rgw_sts_key={secrets.token_hex(8)}")

    def make_role(self, name: str, *, by: str, bucket: str) -> str:
        """Make a role that a user may assume and that may do everything in one bucket; return its ARN."""
        may_assume = {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam:::user/{by}"]},
            "Action": ["sts:AssumeRole"],
        }
        places = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        may_do = {"Effect": "Allow", "Action": ["s3:*"], "Resource": places}
        self._admin(
            "role", "create", f"--role-name={name}", "--path=/", f"--assume-role-policy-doc={_policy(may_assume)}"
        )
        policy = ("--policy-name=all", f"--policy-doc={_policy(may_do)}")
        self._admin("role-policy", "put", f"--role-name={name}", *policy)
        return f"arn:aws:iam:::role/{name}"


class ElsewhereGateway(Gateway):
    """A gateway of another zone group, to which all buckets that were made by the first one are in another region."""

    name = "s3-rgw-elsewhere"

    @property
    def port(self) -> int:
        """Its port."""
        return self.ceph.lab.port("s3_elsewhere")

    @property
    def endpoint(self) -> str:
        """The URL."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Make a zone group of the same zone: it shares what it has, and its name is a region of its own."""
        group = json.loads(self._admin("zonegroup", "get"))
        group |= {"id": str(uuid.uuid4()), "name": "elsewhere", "api_name": "elsewhere"}
        file = self.ceph.folder / "elsewhere.json"
        file.write_text(json.dumps(group), encoding="utf-8")
        self._admin("zonegroup", "set", "--rgw-zonegroup=elsewhere", f"--infile={file}")

    def options(self) -> Sequence[str]:
        """Return what it is told besides."""
        return (f"--rgw_frontends=beast endpoint=127.0.0.1:{self.port}", "--rgw_zonegroup=elsewhere")


def _policy(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
