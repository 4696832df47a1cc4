"""``python -m lab.incorta``: the roles of the simulator, and what its scripts ask for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from incorta_provider.exceptions import DrError
from lab.incorta import control
from lab.incorta.home import Home

_ROLES = ("agent", "cmc", "spark", "analytics", "loader")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a role until it is stopped, or one order; return the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.command in _ROLES:
        return _run_role(arguments.command, arguments.home)
    try:
        print(_obey(arguments))
    except DrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run_role(role: str, home: Path) -> int:
    """Import only what this role needs: a service that starts late is a service that is down for longer."""
    module = import_module(f"lab.incorta.{role}")
    run = import_module("lab.incorta.process").run
    return int(run(home, module.NAME, getattr(module, role)))


def _obey(arguments: argparse.Namespace) -> str:
    home = Home(arguments.home)
    if arguments.command == "stop":
        return control.stop(home, arguments.name)
    if arguments.command == "start-service":
        return control.start_service(home, arguments.name)
    return control.stop_service(home, arguments.name, force=arguments.force)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", type=Path, required=True, help="the Incorta home of the node")
    parser = argparse.ArgumentParser(prog="python -m lab.incorta", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for role in _ROLES:
        commands.add_parser(role, parents=[common])
    commands.add_parser("stop", parents=[common]).add_argument("name", choices=("agent", "cmc", "spark"))
    commands.add_parser("start-service", parents=[common]).add_argument("name")
    stopping = commands.add_parser("stop-service", parents=[common])
    stopping.add_argument("name")
    stopping.add_argument("-force", action="store_true", help="kill it at once")
    return parser


if __name__ == "__main__":
    sys.exit(main())
