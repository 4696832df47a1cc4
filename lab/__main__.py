"""``python -m lab``: bring the lab up or down, see how it is, or take a site away."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from incorta_provider.exceptions import DrError
from lab import packages
from lab.layout import SITES, Lab
from lab.state import open_lab
from lab.up import down, kill_site, status, up


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 not so, 2 called wrongly."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "packages":
            return _packages(install=arguments.install)
        return _run(arguments, open_lab(arguments.root, arguments.base))
    except DrError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", type=Path, default=Path(".lab"), help="state folder (default: .lab)")
    common.add_argument("--base", type=int, help="first port of a new lab (default: 20000)")
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", parents=[common], help="start the servers of both sites")
    commands.add_parser("down", parents=[common], help="end every process of the lab")
    commands.add_parser("status", parents=[common], help="say how each server is")
    kill = commands.add_parser("kill-site", parents=[common], help="kill everything of one site at once")
    kill.add_argument("site", choices=SITES)
    wanted = commands.add_parser("packages", help="say which Debian packages are missing")
    wanted.add_argument("--install", action="store_true", help="install them through apt")
    return parser


def _run(arguments: argparse.Namespace, lab: Lab) -> int:
    if arguments.command == "up":
        up(lab, print)
    elif not lab.passwords_file.exists():
        print(f"there is no lab in {lab.root}")
        return 0 if arguments.command == "down" else 1
    elif arguments.command == "status":
        return _print_status(lab)
    elif arguments.command == "down":
        down(lab, print)
    else:
        kill_site(lab, arguments.site, print)
    return 0


def _packages(*, install: bool) -> int:
    if install and packages.missing():
        packages.install()
    packages.require()
    print(f"all {len(packages.lab_packages())} packages are here")
    return 0


def _print_status(lab: Lab) -> int:
    """Print one line a server; the exit status says whether all can be used."""
    found = status(lab)
    for server in found:
        ports = ",".join(str(port) for port in server.ports)
        print(f"{server.name:<22} {server.pid or '-':>8}  {ports:<18} {server.reason or 'ready'}")
    return 1 if any(server.reason for server in found) else 0


if __name__ == "__main__":
    sys.exit(main())
