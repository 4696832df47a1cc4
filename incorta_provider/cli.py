"""``incorta-dr``: the same rules for the day that Airflow is down.

Ends with status 0 when all is well, 1 when something is not (said in one message, without a stack trace), 2 when the
command was typed wrong.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from incorta_provider import __version__
from incorta_provider.cli_cutover import add_cutover
from incorta_provider.cli_divergence import add_divergence
from incorta_provider.cli_drill import add_drill
from incorta_provider.cli_fence import add_fence
from incorta_provider.cli_maintenance import add_maintenance
from incorta_provider.cli_metadata import add_metadata
from incorta_provider.cli_readiness import add_readiness
from incorta_provider.cli_roles import add_roles
from incorta_provider.connection import ConnectionInfo, Connections, connections_from_file
from incorta_provider.dr.sizes import parse_size
from incorta_provider.dr.topology import Topology
from incorta_provider.exceptions import ConfigurationError, DrError
from incorta_provider.steps.access import GroupAccess, SiteAccess, group_access
from incorta_provider.steps.bandwidth import clear_bandwidth, set_bandwidth
from incorta_provider.steps.foreign_errors import own_errors
from incorta_provider.steps.locking import release_dead
from incorta_provider.steps.roles import adopt_role, initialise_roles
from incorta_provider.steps.status import ledger_faults, status_lines
from incorta_provider.steps.topology_file import read_topology

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

TOPOLOGY_VARIABLE = "AIRFLOW__INCORTA_DR__TOPOLOGY"
CONNECTIONS_VARIABLE = "INCORTA_DR_CONNECTIONS"
UNLIMITED = "unlimited"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a console may know fewer letters than names have
    try:
        status = command(arguments)
        sys.stdout.flush()
    except DrError as error:
        return _failed(str(error))
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        return _failed(f"{error.strerror} [{error.filename}]")
    return status


def _failed(what: str) -> int:
    print(f"incorta-dr: {what}", file=sys.stderr)
    return 1


def _unread() -> int:
    """Nobody reads any more, as in ``incorta-dr status | head -1``: keep the interpreter from writing at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _check_topology(arguments: argparse.Namespace) -> int:
    topology = read_topology(_topology_path(arguments))
    for name, group in topology.groups.items():
        print(f"group {name}: primary {group.primary}, DR {', '.join(group.dr_sites)}")
        for warning in group.warnings():
            print(f"  warning: {warning}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    for access in _groups(arguments):
        for line in status_lines(access):
            print(line)
    return 0


def _verify_ledger(arguments: argparse.Namespace) -> int:
    sites = [access.site(name) for access in _groups(arguments) for name in access.config.sites]
    verdicts = [_is_whole(site) for site in sites]
    return 0 if all(verdicts) else 1


def _is_whole(site: SiteAccess) -> bool:
    """Verify the ledger of one site; one that cannot be read is told, and does not hide the others."""
    try:
        with own_errors():
            ledger = site.ledger
            entries, faults = ledger_faults(ledger)
    except DrError as error:
        print(f"{site.name}: {error}")
        return False
    print(f"{ledger.path}: {entries} entries, {len(faults)} fault(s)")
    for fault in faults:
        print(f"  {fault}")
    return not faults


def _initialise_epoch(arguments: argparse.Namespace) -> int:
    access = _group(arguments)
    if arguments.site:
        role = adopt_role(access, access.site(arguments.site), confirmation=arguments.confirm, by=_user())
        print(f"{arguments.site}: epoch {role.epoch}, active {role.active}, {role.state}")
        return 0
    for site, role in initialise_roles(access, active=arguments.active, by=_user()).items():
        print(f"{site}: epoch {role.epoch}, active {role.active}, {role.state}")
    return 0


def _release_lock(arguments: argparse.Namespace) -> int:
    access = _group(arguments)
    release_dead(access, access.site(arguments.site), arguments.run, by=_user())
    print(f"the lock of run {arguments.run} at {arguments.site} is released")
    return 0


def _set_bandwidth(arguments: argparse.Namespace) -> int:
    access = _group(arguments)
    print(f"{arguments.site}: {set_bandwidth(access, access.site(arguments.site), arguments.value, by=_user())}")
    return 0


def _clear_bandwidth(arguments: argparse.Namespace) -> int:
    access = _group(arguments)
    print(f"{arguments.site}: {clear_bandwidth(access, access.site(arguments.site), by=_user())}")
    return 0


def _rate(text: str) -> int | None:
    """Return the bytes per second that a person typed; None for no limit."""
    try:
        return None if text == UNLIMITED else parse_size(text.removesuffix("/s"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, or {UNLIMITED}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="incorta-dr", description="Disaster recovery of Incorta, without Airflow.")
    parser.add_argument("--version", action="version", version=f"incorta-dr {__version__}")
    parser.add_argument("--topology", metavar="FILE", help=f"topology file; else ${TOPOLOGY_VARIABLE}")
    parser.add_argument(
        "--connections",
        metavar="FILE",
        help=f"connections as `airflow connections export` writes them; else ${CONNECTIONS_VARIABLE}",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    topology = commands.add_parser("topology", help="the topology file").add_subparsers(required=True, metavar="ACTION")
    topology.add_parser("check", help="say what is wrong with it").set_defaults(command=_check_topology)

    status = commands.add_parser("status", help="active site, recovery points and cutovers of each group")
    status.add_argument("--group", help="only this protection group")
    status.set_defaults(command=_status)

    ledger = commands.add_parser("ledger", help="the ledger").add_subparsers(required=True, metavar="ACTION")
    verify = ledger.add_parser("verify", help="check that no line was changed, removed or inserted")
    verify.add_argument("--group", help="only this protection group")
    verify.set_defaults(command=_verify_ledger)

    epoch = commands.add_parser("epoch", help="the epoch registry").add_subparsers(required=True, metavar="ACTION")
    init = epoch.add_parser("init", help="record at every site which one is active; once, before the first replication")
    init.add_argument("--group", required=True)
    which = init.add_mutually_exclusive_group(required=True)
    which.add_argument("--active", metavar="SITE", help="the site that is active now")
    which.add_argument(
        "--site", metavar="SITE", help="only this site, whose registry lost its role, from what is known"
    )
    init.add_argument("--confirm", default="", metavar="PHRASE", help="with --site, when no other registry answers")
    init.set_defaults(command=_initialise_epoch)

    add_maintenance(commands, _group, _user)
    metadata = commands.add_parser("metadata", help="the metadata").add_subparsers(required=True, metavar="ACTION")
    add_readiness(metadata, _group)
    add_metadata(metadata, _group, _user)
    add_divergence(commands, _group, _user)
    add_cutover(commands, _group, _user)
    add_fence(commands, _group, _user)
    add_roles(commands, _topology)
    add_drill(commands, _group, _user)
    _add_bandwidth(commands)
    lock = commands.add_parser("lock", help="the lock of a group").add_subparsers(required=True, metavar="ACTION")
    release = lock.add_parser("release", help="release the lock of a run that is known to be dead")
    release.add_argument("--group", required=True)
    release.add_argument("--site", required=True, help="the site whose ZooKeeper keeps the lock: the target")
    release.add_argument("--run", required=True, metavar="RUN_ID", help="the run that holds it; no other is touched")
    release.set_defaults(command=_release_lock)
    return parser


def _add_bandwidth(commands: Commands) -> None:
    actions = commands.add_parser("bandwidth", help="how fast copies to a site may be, also those that run")
    chosen = actions.add_subparsers(required=True, metavar="ACTION")
    limit = chosen.add_parser("set", help="limit them, whatever the topology says")
    clear = chosen.add_parser("clear", help="let the topology's limit hold again")
    for action in (limit, clear):
        action.add_argument("--group", required=True)
        action.add_argument("--site", required=True, help="the site that is copied to")
    limit.add_argument("value", type=_rate, metavar="VALUE", help=f"bytes per second, such as 20MB; or {UNLIMITED}")
    limit.set_defaults(command=_set_bandwidth)
    clear.set_defaults(command=_clear_bandwidth)


def _topology_path(arguments: argparse.Namespace) -> Path:
    value = arguments.topology or os.environ.get(TOPOLOGY_VARIABLE)
    if not value:
        raise ConfigurationError(
            "no topology file is named", where="command line", fix=f"Give --topology FILE, or set {TOPOLOGY_VARIABLE}."
        )
    return Path(value)


def _connections(arguments: argparse.Namespace) -> Connections:
    """Return the connections; without a file, those are refused only when one is needed."""
    value = arguments.connections or os.environ.get(CONNECTIONS_VARIABLE)
    return connections_from_file(Path(value)) if value else _no_connections


def _no_connections(conn_id: str) -> ConnectionInfo:
    raise ConfigurationError(
        f"connection {conn_id!r} is needed and no file of connections is named",
        where="command line",
        fix=f"Give --connections FILE, or set {CONNECTIONS_VARIABLE}; `airflow connections export FILE` writes one.",
    )


def _topology(arguments: argparse.Namespace) -> Topology:
    return read_topology(_topology_path(arguments))


def _group(arguments: argparse.Namespace) -> GroupAccess:
    return group_access(_topology(arguments), arguments.group, _connections(arguments))


def _groups(arguments: argparse.Namespace) -> list[GroupAccess]:
    topology, connections = _topology(arguments), _connections(arguments)
    names = [arguments.group] if arguments.group else list(topology.groups)
    return [group_access(topology, name, connections) for name in names]


def _user() -> str:
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"


if __name__ == "__main__":
    sys.exit(main())
