"""A protection group without servers: real files, ZooKeeper in memory, and nodes that note what they are told."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest
import yaml

from incorta_provider.connection import ConnectionInfo
from incorta_provider.coordination.ensemble import Member
from incorta_provider.coordination.group_lock import GroupLock, LockOwner
from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.session import Session, Stored
from incorta_provider.dr.approval import Approval
from incorta_provider.dr.epoch import Role, first_role, promoting_role
from incorta_provider.dr.inventory import Inventory, Server, Table
from incorta_provider.dr.plan import Mode, Plan, StepName
from incorta_provider.dr.planning import make_plan
from incorta_provider.dr.recovery_point import RecoveryPoint, point_id
from incorta_provider.dr.request import Request
from incorta_provider.dr.topology import Topology
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services.node import AGENT, CMC, SPARK, part_of
from incorta_provider.services.ports import Port
from incorta_provider.steps import access as access_module
from incorta_provider.steps import locking, readiness, roles
from incorta_provider.steps import running as running_module
from incorta_provider.steps.access import GroupAccess, group_access
from incorta_provider.steps.cutover import fence, promote, quiesce
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.replication import open as open_module
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_totals
from incorta_provider.storage.url import local_path

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Report = TypeVar("Report", bound="DataclassInstance")

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SITES = ("berlin", "newyork")
RELEASE = "2024.1.0"
ACTOR = "dag incorta_replication__acme__newyork"
PASSWORD = "hunter2-must-never-be-shown"
SIGNING_KEY = "a-key-of-thirty-two-random-bytes"


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


class MemorySession(Session):
    """ZooKeeper's rules about versions, in memory."""

    is_connected = True

    def __init__(self) -> None:
        self.nodes: dict[str, Stored] = {}

    def read(self, path: str) -> Stored | None:
        return self.nodes.get(path)

    def create(self, path: str, value: bytes) -> bool:
        if path in self.nodes:
            return False
        self.nodes[path] = Stored(value, 0)
        return True

    def replace(self, path: str, value: bytes, version: int) -> int | None:
        if path not in self.nodes or self.nodes[path].version != version:
            return None
        self.nodes[path] = Stored(value, version + 1)
        return version + 1


class Ensembles:
    """The ZooKeeper ensembles of the sites.

    :ivar down: connection ids of ensembles without a quorum.
    """

    def __init__(self) -> None:
        self._sessions: defaultdict[str, MemorySession] = defaultdict(MemorySession)
        self.down: set[str] = set()

    @contextmanager
    def connect(self, info: ConnectionInfo) -> Iterator[Session]:
        if info.conn_id in self.down:
            raise TransientError("cannot connect to ZooKeeper: no quorum", where=info.conn_id, fix="Start it.")
        yield self._sessions[info.conn_id]

    def state(self, info: ConnectionInfo) -> list[Member]:
        is_down = info.conn_id in self.down
        return [Member(info.conn_id, 2181, "" if is_down else "standalone", "is down" if is_down else "")]

    def session(self, site: str) -> MemorySession:
        return self._sessions[f"{site}_zookeeper"]

    def lock(self, site: str) -> GroupLock:
        return GroupLock(self.session(site), "acme")

    def role(self, site: str) -> Role:
        stored = RoleRegistry(self.session(site), "acme").read()
        assert stored is not None
        return stored.role

    def set_role(self, site: str, role: Role) -> None:
        self.session(site).nodes["/incorta_dr/acme/role"] = Stored(role.model_dump_json().encode(), 0)

    def initialise(self, active: str = "berlin") -> None:
        for site in SITES:
            self.set_role(site, first_role("acme", active, by="dana", at=NOON))


class Nodes:
    """The Incorta nodes of both sites.

    :ivar down: connection ids of nodes that cannot be reached.
    :ivar releases: of nodes that run another release than the rest.
    :ivar ports: what is found at a part's port, where it is not closed.
    :ivar stubborn: nodes whose stop scripts end well and stop nothing.
    :ivar calls: what nodes were told: node, action, and on whose behalf.
    """

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.releases: dict[str, str] = {}
        self.ports: dict[tuple[str, str], Port] = {}
        self.stubborn: set[str] = set()
        self.calls: list[tuple[str, str, str | None]] = []

    def from_connection(self, info: ConnectionInfo, run_id: str | None = None, *, login: object = None) -> Node:
        return Node(self, info.conn_id, run_id)

    def port_state(self, info: ConnectionInfo, part: str) -> tuple[Port, str]:
        state = self.ports.get((info.conn_id, part), Port.CLOSED)
        return state, "" if state is Port.OPEN else f"port is {state}"

    def agents_run(self, *nodes: str) -> None:
        """Let the agents of nodes run: what they know of is stopped before them, where it is stopped at once else."""
        self.ports |= {(node, AGENT): Port.OPEN for node in nodes}

    def told(self, node: str) -> list[str]:
        """Return what one node was told, in order."""
        return [action for name, action, _ in self.calls if name == node]


@dataclass
class Node:
    """A login at a node."""

    nodes: Nodes
    conn_id: str
    key: str | None

    def __enter__(self) -> Self:
        if self.conn_id in self.nodes.down:
            raise TransientError("the node cannot be reached", where=self.conn_id, fix="Start its SSH server.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def version(self) -> str:
        return self.nodes.releases.get(self.conn_id, RELEASE)

    def start_node(self) -> None:
        self._note("start node")

    def stop_node(self) -> None:
        self._stop("node", AGENT)

    def start_spark(self) -> None:
        self._note("start spark")

    def stop_spark(self) -> None:
        self._stop("spark", SPARK)

    def start_cmc(self) -> None:
        self._note("start cmc")

    def stop_cmc(self) -> None:
        self._stop("cmc", CMC)

    def start_service(self, name: str) -> None:
        self._note(f"start {name}")

    def stop_service(self, name: str) -> None:
        self._stop(name, str(part_of(name)))

    def _stop(self, name: str, part: str) -> None:
        self._note(f"stop {name}")
        if self.conn_id not in self.nodes.stubborn:
            self.nodes.ports.pop((self.conn_id, part), None)

    def _note(self, action: str) -> None:
        self.nodes.calls.append((self.conn_id, action, self.key))


@dataclass
class Bench:
    """One group with its sites below ``root``.

    :ivar passwords: by connection id, where not the usual one.
    :ivar absent: connections that nobody made.
    """

    root: Path
    access: GroupAccess
    clock: Clock
    ensembles: Ensembles
    nodes: Nodes
    passwords: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)

    @property
    def catalog(self) -> Catalog:
        return self.access.site("newyork").catalog

    def storage(self, site: str) -> Path:
        return local_path(self.access.site(site).config.storage)

    def changed(self, **group_fields: Any) -> GroupAccess:
        """Return the group with other settings."""
        config = self.access.config.model_copy(update=group_fields)
        return GroupAccess(self.access.name, config, self.access.connections, self.clock)

    def events(self, site: str = "newyork") -> list[str]:
        return [entry.event for entry in self.access.site(site).ledger.entries()]

    def last(self, event: str) -> dict[str, Any]:
        """Return the details of the newest line of that kind."""
        found = [entry for entry in self.access.site("newyork").ledger.entries() if entry.event == event]
        return dict(found[-1].details)


def make_bench(root: Path, monkeypatch: pytest.MonkeyPatch, document: dict[str, Any] | None = None) -> Bench:
    """Make both sites' folders and their initialised registries, and lend the steps the fakes for servers.

    :param document: the topology, when it is not the usual one.
    """
    clock, ensembles, nodes = Clock(), Ensembles(), Nodes()
    ensembles.initialise()
    for site in SITES:
        (root / site / "storage").mkdir(parents=True)
        (root / site / "catalog").mkdir()
    for module in (fence, locking, open_module, promote, quiesce, roles):
        monkeypatch.setattr(module, "connect", ensembles.connect)
    for module in (readiness, roles):
        monkeypatch.setattr(module, "ensemble_state", ensembles.state)
    monkeypatch.setattr(access_module, "IncortaNode", nodes)
    monkeypatch.setattr(running_module, "port_state", nodes.port_state)
    passwords, absent = {"acme_approval": SIGNING_KEY}, set[str]()
    topology = Topology.model_validate(document or topology_document(root))
    access = group_access(topology, "acme", connections(passwords, absent), clock)
    for site in SITES:
        access.site(site).catalog.initialise("acme", site)
    return Bench(root, access, clock, ensembles, nodes, passwords, absent)


def connections(passwords: dict[str, str], absent: set[str]) -> Callable[[str], ConnectionInfo]:
    """Return connections that lead nowhere."""

    def find(conn_id: str) -> ConnectionInfo:
        if conn_id in absent:
            raise ConfigurationError(f"no connection {conn_id!r}", where="the test", fix="Make it.")
        password = passwords.get(conn_id, PASSWORD)
        return ConnectionInfo(conn_id, host="127.0.0.1", port=1, login="incorta", password=password)

    return find


def with_replica(document: dict[str, Any]) -> dict[str, Any]:
    """Let a topology ask for replicas of the metadata."""
    group = document["groups"]["acme"]
    group["metadata"]["replica"] = {"wait_seconds": 7}
    for name, site in group["sites"].items():
        site["metadata"]["replica_conn_id"] = f"{name}_replica"
    return document


def use_at_command_line(bench: Bench, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``incorta-dr`` in this process find a topology and connections in files, and call its user dana."""
    root = bench.root
    topology = write_topology(root, document)
    fields = {"conn_type": "generic", "host": "127.0.0.1", "port": 1, "login": "incorta", "password": PASSWORD}
    conn_ids = set[str]().union(*(site.conn_ids for site in bench.access.config.sites.values()))
    (root / "connections.json").write_text(json.dumps(dict.fromkeys(conn_ids, fields)))
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(topology))
    monkeypatch.setenv("INCORTA_DR_CONNECTIONS", str(root / "connections.json"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("USER", "dana")


def topology_document(root: Path) -> dict[str, Any]:
    """Return a right topology of two sites below ``root``, to be spoiled by a test."""
    return {
        "groups": {
            "acme": {
                "primary": "berlin",
                "sites": {site: _site(root, site) for site in SITES},
                "metadata": {
                    "references": ["SELECT PATH AS path FROM TABLE_FILE"],
                    "rewrite": [{"table": "TENANT", "column": "PATH", "value": "tenants_path"}],
                },
                "objectives": {"rpo_seconds": 300, "rto_seconds": 900},
                "approval": {"conn_id": "acme_approval", "timeout_seconds": 3600},
            }
        }
    }


def write_topology(root: Path, document: dict[str, Any] | None = None) -> Path:
    """Write a topology file and return its path."""
    path = root / "incorta_dr.yaml"
    path.write_text(yaml.safe_dump(document or topology_document(root), sort_keys=False))
    return path


def airflow_knows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Airflow find the topology and its connections as it does in production: by its configuration."""
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(write_topology(root)))
    topology = Topology.model_validate(topology_document(root))
    group = topology.groups["acme"]
    for conn_id in {group.approval.conn_id}.union(*(site.conn_ids for site in group.sites.values())):
        password = SIGNING_KEY if conn_id == "acme_approval" else PASSWORD
        fields = {"conn_type": "generic", "host": "127.0.0.1", "port": 1, "login": "incorta", "password": password}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))


def _site(root: Path, name: str) -> dict[str, Any]:
    return {
        "storage": f"file://{root}/{name}/storage",
        "catalog": f"file://{root}/{name}/catalog",
        "metadata": {"conn_id": f"{name}_metadata", "schema": "incorta"},
        "zookeeper": {"conn_id": f"{name}_zookeeper"},
        "nodes": [
            {"conn_id": f"{name}_node1", "services": ["loaderService", "analyticsService"]},
            {"conn_id": f"{name}_node2", "services": ["loaderService"]},
        ],
        "cmc": {"conn_id": f"{name}_cmc", "cluster": "acme", "node": f"{name}_node1"},
        "analytics": {"conn_id": f"{name}_analytics", "tenant": "acme"},
        "values": {"tenants_path": f"/mnt/{name}/Tenants", "smtp_host": f"mail.{name}.example"},
    }


def owner(run_id: str, *, purpose: str = "replication", dag_id: str = "dag replicate") -> LockOwner:
    """Return who might hold the lock."""
    return LockOwner(run_id=run_id, dag_id=dag_id, host="worker-1", purpose=purpose, taken_at=NOON)


def inventory(gtid: str = "", **tables: int) -> Inventory:
    """Return an inventory with these tables and their numbers of rows."""
    return Inventory(
        server=Server(
            version="11.8.2-MariaDB",
            sql_mode="",
            character_set="utf8mb4",
            collation="utf8mb4_general_ci",
            time_zone="+00:00",
            lower_case_table_names=0,
        ),
        schema_name="incorta",
        character_set="utf8mb4",
        collation="utf8mb4_general_ci",
        position="mariadb-bin.000001:4",
        gtid=gtid,
        tables={
            name: Table(
                engine="InnoDB",
                columns={"PATH": "text"},
                indexes={},
                constraints={},
                options="",
                rows=rows,
                checksum=str(rows),
            )
            for name, rows in tables.items()
        },
        views={},
        routines={},
        triggers={},
        events={},
    )


def sealed_point(catalog: Catalog, run_id: str = "scheduled__1", gtid: str = "", **changed: Any) -> RecoveryPoint:
    """Seal a point with real files in it, and return it; its digests are those of the files.

    It holds what the run copied; nothing when it copied nothing.
    """
    catalog.initialise("acme", "newyork")
    workspace = catalog.workspace(run_id)
    if not workspace.manifest.exists():
        with ManifestWriter(workspace.manifest):
            pass
    workspace.dump.write_bytes(b"a dump of " + run_id.encode())
    described = inventory(gtid, TENANT=1, TABLE_FILE=2)
    workspace.inventory.write_text(described.model_dump_json())
    opened_at = changed.get("opened_at", NOON - timedelta(minutes=2))
    fields = {
        "id": point_id(opened_at, run_id),
        "group": "acme",
        "source": "berlin",
        "target": "newyork",
        "epoch": 1,
        "run_id": run_id,
        "opened_at": opened_at,
        "sealed_at": opened_at + timedelta(seconds=12),
        "previous": None,
        "files": read_totals(workspace.manifest).files,
        "bytes": 0,
        "copied_files": 0,
        "copied_bytes": 0,
        "tables": len(described.tables),
        "rows": described.rows,
        "references": 0,
        "manifest_sha256": digest(workspace.manifest),
        "dump_sha256": digest(workspace.dump),
        "inventory_sha256": digest(workspace.inventory),
        "position": described.position,
        "server_version": described.server.version,
        "incorta_version": RELEASE,
    }
    return catalog.seal(workspace, RecoveryPoint(**{**fields, **changed}))


def replication_run(bench: Bench, run_id: str = "scheduled__1", **group_fields: Any) -> ReplicationRun:
    """Return a run from berlin to newyork, not opened; the group's settings may be others."""
    access = bench.changed(**group_fields)
    return ReplicationRun(access, access.site("newyork"), run_id, ACTOR)


def write_dump(run: ReplicationRun, *references: dict[str, Any], **tables: int) -> None:
    """Write the files that a dump writes, without a database."""
    workspace = run.workspace
    workspace.dump.write_bytes(b"a dump")
    lines = [json.dumps({"size": None, "sha256": None, **reference}) + "\n" for reference in references]
    workspace.references.write_text("".join(lines))
    workspace.inventory.write_text(inventory(**(tables or {"TENANT": 1})).model_dump_json())


def cutover_run(bench: Bench, run_id: str = "manual__1", actor: str = "hana") -> CutoverRun:
    """Return a cutover to newyork that has no plan yet."""
    return CutoverRun(bench.access, bench.access.site("newyork"), run_id, actor)


def cutover_request(run_id: str = "manual__1", **changed: Any) -> Request:
    """Return a request that is in order."""
    fields = {
        "run_id": run_id,
        "target": "newyork",
        "mode": Mode.UNPLANNED,
        "recovery_point": "",
        "confirmation": "PROMOTE newyork",
        "reason": "the data centre is on fire",
        "accept_unfenced": True,
        "requested_by": "hana",
        "requested_at": NOON,
        "created_at": NOON,
    }
    return Request(**{**fields, **changed})


def frozen_plan(bench: Bench, run: CutoverRun, mode: Mode = Mode.UNPLANNED, **changed: Any) -> Plan:
    """Freeze a plan for the newest point, made now if there is none, without asking the site whether it is ready."""
    point = bench.catalog.newest() or sealed_point(bench.catalog)
    epoch = bench.ensembles.role("newyork").epoch
    request = cutover_request(run.run_id, created_at=bench.clock.now, mode=mode)
    group = bench.access.config
    plan = make_plan("acme", group, source="berlin", target="newyork", epoch=epoch, point=point, request=request)
    return run.folder.freeze(plan.model_copy(update=changed))


def cleared(run: CutoverRun) -> CutoverRun:
    """Return the same cutover in the round that begins when a person clears a task."""
    return replace(run, clear_number=run.clear_number + 1)


def approval_of(run: CutoverRun) -> Approval:
    """Return what Omar approved, as the gate signs it."""
    plan, now = run.folder.plan(), run.access.clock()
    fields = {name: getattr(plan, name) for name in ("group", "run_id", "recovery_point", "target", "requested_by")}
    approval = Approval(
        **fields,
        plan_sha256=plan.sha256,
        approved_by="omar",
        approved_at=now,
        expires_at=now + timedelta(hours=1),
        nonce="0" * 32,
    )
    return approval.signed(SIGNING_KEY.encode())


def promoting(bench: Bench, run_id: str = "manual__1") -> Role:
    """Let the target's registry say that this run is promoting it."""
    current = bench.ensembles.role("newyork")
    role = promoting_role(current, "newyork", by="hana", run_id=run_id, at=bench.clock.now)
    bench.ensembles.set_role("newyork", role)
    return role


def done_before(bench: Bench, run: CutoverRun, step: StepName) -> None:
    """Record every step before ``step`` as done, a second each, and let the registry say so; somebody approved."""
    if run.folder.approval() is None:
        run.folder.save_approval(approval_of(run))
    for earlier in run.folder.plan().before(step):
        started = bench.clock.now
        result = {"step": str(earlier.name), "started_at": started.isoformat(), "seconds": 1.0, "unfenced": False}
        run.folder.record(earlier.name, {**result, "finished_at": bench.clock.go_on(1).isoformat()})
    if step is not StepName.FENCE:
        promoting(bench, run.run_id)


def report_of(kind: type[Report], **facts: Any) -> Report:
    """Return a step's report with these facts, and nothing in its other fields."""
    empty = {"int": 0, "float": 0.0, "str": ""}
    return kind(**{each.name: facts.get(each.name, empty.get(str(each.type), ())) for each in fields(kind)})


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
