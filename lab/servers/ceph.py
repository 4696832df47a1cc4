"""A real S3 server: one node of Ceph (monitor, one OSD, RADOS gateway), private and on loopback.

No manager daemon, and no authentication between the daemons; the gateway checks signatures as any S3 server does. It
belongs to no site and is not part of ``make lab``: what needs it starts it (about two seconds).

Ceph 16.2 ignores checksum headers and accepts wrong ones: a test of integrity must rest on digests of our own.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from lab.files import write
from lab.layout import Lab
from lab.programs import find_program
from lab.servers.server import start
from lab.supervisor import Supervisor

REGION = "default"
"""The name of the zone group; what the gateway takes for a region."""

_FAST = {
    "paxos_propose_interval": 0.02,
    "paxos_min_wait": 0.01,
    "mon_tick_interval": 1,
    "osd_mon_report_interval": 1,
    "ms_initial_backoff": 0.05,
    "mon_client_hunt_interval": 0.5,
    "mon_osd_prime_pg_temp": "false",
}
"""Timers that are made for clusters of many machines; with their defaults the start takes ten seconds longer."""

_PARTS = ("rgw", "osd", "ms", "objclass", "objecter", "bluestore", "bdev", "rocksdb", "mon", "paxos", "auth", "monc")
_QUIET = {f"debug_{part}": "0/0" for part in (*_PARTS, "finisher", "throttle", "timer")}
"""No log is kept in memory either, which otherwise takes a good part of the processor time of small requests."""

_MEMORY = {"osd_objectstore": "memstore", "memstore_device_bytes": 6 * 1024**3}
_DISK = {
    "osd_objectstore": "bluestore",
    "bluestore_block_size": 32 * 1024**3,
    "bluestore_block_db_create": "false",
    "bluestore_fsck_on_mount": "false",
    "bluestore_cache_autotune": "false",
    "bluestore_cache_size": 256 * 1024**2,
}


@dataclass(frozen=True, slots=True)
class Keys:
    """How one user of the gateway signs."""

    access: str
    secret: str

    def connection(self, conn_id: str, endpoint: str) -> ConnectionInfo:
        """Return the Airflow connection of this user at a gateway."""
        extra = {"endpoint_url": endpoint, "region_name": REGION}
        return ConnectionInfo(conn_id, "aws", login=self.access, password=self.secret, extra=extra)


@dataclass(frozen=True, slots=True)
class CephS3:
    """One S3 server.

    :param on_disk: whether objects outlive the process and may be more than the 6 GiB that fit into memory: takes five
        seconds to start instead of two, and writes half as fast. The two kinds have folders of their own, but the same
        ports.
    """

    lab: Lab
    on_disk: bool = False

    host = "127.0.0.1"

    @property
    def endpoint(self) -> str:
        """Return the URL of the gateway."""
        return f"http://{self.host}:{self.lab.port('s3')}"

    @property
    def folder(self) -> Path:
        """Return the state folder."""
        return self.lab.root / ("s3-disk" if self.on_disk else "s3")

    @property
    def conf(self) -> Path:
        """Return the configuration of all daemons."""
        return self.folder / "ceph.conf"

    def start(self, supervisor: Supervisor) -> None:
        """Start the daemons one after the other; those which run stay.

        :raises ConfigurationError: one does not come up; the end of its log is in the message.
        """
        for kind in ("mon", "osd", "rgw"):
            start(Daemon(self, kind), supervisor)
        self.user("lab")

    def stop(self, supervisor: Supervisor, *, seconds: float = 15) -> None:
        """Stop the gateway first: without its OSD it never ends by itself."""
        for kind in ("rgw", "osd", "mon"):
            supervisor.stop(f"s3-{kind}", seconds=seconds)

    def user(self, name: str) -> Keys:
        """Return the keys of a user, who is made at the first call."""
        file = self.folder / f"user-{name}.json"
        if not file.exists():
            keys = {"access": f"{name.upper()}{secrets.token_hex(6).upper()}", "secret": secrets.token_hex(20)}
            made = ["--uid", name, "--display-name", name, "--access-key", keys["access"], "--secret", keys["secret"]]
            self.run("radosgw-admin", "-n", "client.rgw.lab", "user", "create", *made)
            write(file, json.dumps(keys), mode=0o600)
        return Keys(**json.loads(file.read_text(encoding="utf-8")))

    def connection(self, conn_id: str, user: str = "lab") -> ConnectionInfo:
        """Return the Airflow connection of a user."""
        return self.user(user).connection(conn_id, self.endpoint)

    def run(self, *argv: str) -> str:
        """Run one of Ceph's own tools against this cluster and return what it says.

        :raises ConfigurationError: it fails.
        """
        command = [find_program(argv[0]) or argv[0], *argv[1:]]
        environment = {**os.environ, "CEPH_CONF": str(self.conf)}
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise ConfigurationError(
                f"{argv[0]} failed: {done.stderr.strip()[-500:]}", where=str(self.folder), fix="See the logs there."
            )
        return done.stdout

    def configure(self) -> None:
        """Write the configuration once: the cluster's id stands in it."""
        if self.conf.exists():
            return
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        sections: dict[str, dict[str, object]] = {"global": self._global(), "mon.a": {"mon_data": self.folder / "mon"}}
        sections |= {"osd.0": {"osd_data": self.folder / "osd"}, "client.rgw.lab": self._gateway()}
        text = "".join(
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())
            for name, settings in sections.items()
        )
        write(self.folder / "keyring", "")
        write(self.conf, text)

    @property
    def cluster_id(self) -> str:
        """Return the cluster's id."""
        lines = self.conf.read_text(encoding="utf-8").splitlines()
        return next(line.removeprefix("fsid = ") for line in lines if line.startswith("fsid = "))

    @property
    def monitor(self) -> str:
        """Return the address of the monitor."""
        return f"[v2:{self.host}:{self.lab.port('ceph_mon')}]"

    def _global(self) -> dict[str, object]:
        first = self.lab.port("ceph_osd")
        return {
            "fsid": uuid.uuid4(),
            "mon_host": self.monitor,
            "auth_cluster_required": "none",
            "auth_service_required": "none",
            "auth_client_required": "none",
            "public_network": "127.0.0.0/8",
            "cluster_network": "127.0.0.0/8",
            "ms_bind_msgr1": "false",
            "ms_bind_port_min": first,
            "ms_bind_port_max": first + 20,
            "osd_pool_default_size": 1,
            "osd_pool_default_min_size": 1,
            "osd_pool_default_pg_num": 4,
            "osd_pool_default_pg_autoscale_mode": "off",
            "osd_crush_chooseleaf_type": 0,
            "osd_max_pgls": 1024,
            "osd_memory_target": "512M",
            "mon_allow_pool_size_one": "true",
            "mon_max_pg_per_osd": 10000,
            "mon_cluster_log_to_file": "false",
            "mon_data_avail_crit": 1,
            "mon_pg_warn_min_per_osd": 0,
            "admin_socket": "",
            "run_dir": self.folder,
            "log_file": "",
            "log_to_stderr": "true",
            "pid_file": "",
            "keyring": self.folder / "keyring",
            **_FAST,
            **_QUIET,
            **(_DISK if self.on_disk else _MEMORY),
        }

    def _gateway(self) -> dict[str, object]:
        """``ms_mon_client_mode``: it would insist on encryption, which needs the authentication that there is not."""
        return {
            "ms_mon_client_mode": "crc",
            "rgw_frontends": f"beast endpoint={self.host}:{self.lab.port('s3')} tcp_nodelay=1",
            "rgw_data": self.folder / "rgw",
            "rgw_thread_pool_size": 64,
            "rgw_enable_usage_log": "false",
            "rgw_dynamic_resharding": "false",
            "rgw_override_bucket_index_max_shards": 1,
            "rgw_run_sync_thread": "false",
            "rgw_gc_processor_period": 3600,
            "rgw_relaxed_s3_bucket_names": "true",
            "rgw_dns_name": "localhost",
        }


@dataclass(frozen=True, slots=True)
class Daemon:
    """One process of the server: ``mon``, ``osd`` or ``rgw``."""

    ceph: CephS3
    kind: str

    site_name = ""

    @property
    def name(self) -> str:
        """Return the name of the process."""
        return f"s3-{self.kind}"

    @property
    def ports(self) -> Sequence[int]:
        """Return the port that clients use; the OSD takes free ones of its range."""
        lab = self.ceph.lab
        return {"mon": (lab.port("ceph_mon"),), "rgw": (lab.port("s3"),)}.get(self.kind, ())

    @property
    def log(self) -> Path:
        """Return the log."""
        return self.ceph.folder / f"{self.kind}.log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return where the configuration is."""
        return {"CEPH_CONF": str(self.ceph.conf)}

    def prepare(self) -> None:
        """Make the daemon's store at its first start."""
        self.ceph.configure()
        done = self.ceph.folder / self.kind / ".made"
        if not done.exists():
            {"mon": self._make_monitor, "osd": self._make_osd}.get(self.kind, lambda: None)()
            done.touch()

    def command(self) -> Sequence[str]:
        """Return the command line: in the foreground."""
        program = {
            "mon": ("ceph-mon", "-i", "a"),
            "osd": ("ceph-osd", "-i", "0"),
            "rgw": ("radosgw", "-n", "client.rgw.lab"),
        }
        return (*program[self.kind], "-c", str(self.ceph.conf), "-f")

    def not_ready(self) -> str:
        """Return why the daemon cannot be used yet."""
        return {"mon": self._no_quorum, "osd": self._osd_down, "rgw": self._no_answer}[self.kind]()

    def _make_monitor(self) -> None:
        ceph, chart = self.ceph, str(self.ceph.folder / "monmap")
        named = ("--fsid", ceph.cluster_id, "--addv", "a", ceph.monitor)
        ceph.run("monmaptool", "--create", "--clobber", "--enable-all-features", *named, chart)
        ceph.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", chart)

    def _make_osd(self) -> None:
        identity = str(uuid.uuid4())
        self.ceph.run("ceph", "osd", "new", identity)
        self.ceph.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)

    def _no_quorum(self) -> str:
        return self._without("quorum", "mon", "stat")

    def _osd_down(self) -> str:
        return self._without("1 up", "osd", "stat")

    def _without(self, wanted: str, *argv: str) -> str:
        try:
            said = self.ceph.run("ceph", "--connect-timeout", "5", *argv)
        except ConfigurationError as error:
            return error.what
        return "" if wanted in said else said.strip() or f"no {wanted}"

    def _no_answer(self) -> str:
        try:
            with urllib.request.urlopen(self.ceph.endpoint, timeout=5) as answer:
                return "" if answer.status == 200 else f"status {answer.status}"
        except (urllib.error.URLError, OSError) as error:
            return str(error)
