"""``incorta-dr``: the same rules for the day that Airflow is down.

Ends with status 0 when all is well, 1 when something is not (said in one message, without a stack trace), 2 when the
command was typed wrong.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from incorta_provider import __version__
from incorta_provider.connection import ConnectionInfo, Connections, connections_from_file
from incorta_provider.dr.topology import Topology
from incorta_provider.exceptions import ConfigurationError, DrError
from incorta_provider.late import late
from incorta_provider.steps.topology_file import read_topology

if TYPE_CHECKING:
    from incorta_provider import (
        cli_bandwidth,
        cli_cutover,
        cli_divergence,
        cli_drill,
        cli_fence,
        cli_maintenance,
        cli_metadata,
        cli_registry,
        cli_roles,
        cli_status,
    )
    from incorta_provider.steps import access
    from incorta_provider.steps.access import GroupAccess
else:
    cli_bandwidth = late("incorta_provider.cli_bandwidth")
    cli_cutover = late("incorta_provider.cli_cutover")
    cli_divergence = late("incorta_provider.cli_divergence")
    cli_drill = late("incorta_provider.cli_drill")
    cli_fence = late("incorta_provider.cli_fence")
    cli_maintenance = late("incorta_provider.cli_maintenance")
    cli_metadata = late("incorta_provider.cli_metadata")
    cli_registry = late("incorta_provider.cli_registry")
    cli_roles = late("incorta_provider.cli_roles")
    cli_status = late("incorta_provider.cli_status")
    access = late("incorta_provider.steps.access")

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

TOPOLOGY_VARIABLE = "AIRFLOW__INCORTA_DR__TOPOLOGY"
CONNECTIONS_VARIABLE = "INCORTA_DR_CONNECTIONS"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    typed = sys.argv[1:] if argv is None else argv
    arguments = _parser(typed).parse_args(typed)
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


def _add_topology(commands: Commands) -> None:
    topology = commands.add_parser("topology", help="the topology file").add_subparsers(required=True, metavar="ACTION")
    topology.add_parser("check", help="say what is wrong with it").set_defaults(command=_check_topology)


ADDED: Mapping[tuple[str, ...], Callable[[Commands], None]] = {
    ("topology",): _add_topology,
    ("status", "ledger"): lambda to: cli_status.add_status(to, _groups),
    ("epoch", "lock"): lambda to: cli_registry.add_registry(to, _group, _user),
    ("prune", "pin", "unpin", "breaker", "verify"): lambda to: cli_maintenance.add_maintenance(to, _group, _user),
    ("metadata",): lambda to: cli_metadata.add_metadata(to, _group, _user),
    ("divergence",): lambda to: cli_divergence.add_divergence(to, _group, _user),
    ("plan", "cutover"): lambda to: cli_cutover.add_cutover(to, _group, _user),
    ("unfence", "take-back"): lambda to: cli_fence.add_fence(to, _group, _user),
    ("roles",): lambda to: cli_roles.add_roles(to, _topology),
    ("drill",): lambda to: cli_drill.add_drill(to, _group, _user),
    ("bandwidth",): lambda to: cli_bandwidth.add_bandwidth(to, _group, _user),
}
"""What adds which commands. Their modules are imported when one of them is typed, or all of them are to be listed."""


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the command that was typed, or of all commands when that is not one."""
    parser = argparse.ArgumentParser(prog="incorta-dr", description="Disaster recovery of Incorta, without Airflow.")
    parser.add_argument("--version", action="version", version=f"incorta-dr {__version__}")
    parser.add_argument("--topology", metavar="FILE", help=f"topology file; else ${TOPOLOGY_VARIABLE}")
    parser.add_argument(
        "--connections",
        metavar="FILE",
        help=f"connections as `airflow connections export` writes them; else ${CONNECTIONS_VARIABLE}",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    typed = _typed(argv)
    wanted = [add for names, add in ADDED.items() if typed in names] or ADDED.values()
    for add in wanted:
        add(commands)
    return parser


def _typed(argv: Sequence[str]) -> str:
    """Return the word that stands where the command belongs."""
    options = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    for name in ("--topology", "--connections"):
        options.add_argument(name)
    try:
        _, rest = options.parse_known_args(argv)
    except argparse.ArgumentError:  # told by the whole parser
        return ""
    return rest[0] if rest else ""


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
    return access.group_access(_topology(arguments), arguments.group, _connections(arguments))


def _groups(arguments: argparse.Namespace) -> list[GroupAccess]:
    topology, connections = _topology(arguments), _connections(arguments)
    names = [arguments.group] if arguments.group else list(topology.groups)
    return [access.group_access(topology, name, connections) for name in names]


def _user() -> str:
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"


if __name__ == "__main__":
    sys.exit(main())
