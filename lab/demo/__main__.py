"""``python -m lab.demo up|down``: run the demo, or stop everything that it left up."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from incorta_provider.exceptions import DrError
from lab.airflow.settings import Settings
from lab.demo.progress import Progress
from lab.demo.stage import strike
from lab.demo.story import summary_file, tell
from lab.state import open_lab

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 all good, 1 not so, 2 called wrongly."""
    arguments = _parser().parse_args(argv)
    progress = Progress()
    try:
        if arguments.command == "down":
            strike(open_lab(arguments.root, arguments.base), progress)
            return 0
        return _up(arguments, progress)
    except DrError as error:
        print(f"\n{error}\nWhat runs by now stays up; `make demo-down` stops it.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. What runs by now stays up; `make demo-down` stops it.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", type=Path, default=Path(".lab"), help="state folder, emptied first (default: .lab)")
    common.add_argument("--base", type=int, help="first port (default: 20000, or that of the former demo)")
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", parents=[common], help="run the demo from an empty state and leave the UI up")
    commands.add_parser("down", parents=[common], help="stop all of it; logs and summary stay")
    return parser


def _up(arguments: argparse.Namespace, progress: Progress) -> int:
    summary = tell(arguments.root, arguments.base, progress)
    lab = open_lab(arguments.root)
    settings = Settings(lab)
    print(f"The same numbers are in {summary_file(lab)}.")
    print(f"Airflow's UI: {settings.url}\n{_accounts(settings)}\n`make demo-down` stops everything.")
    return 1 if summary["problems"] else 0


def _accounts(settings: Settings) -> str:
    """Return the accounts; the passwords only on a terminal, for other outputs are kept by someone."""
    if not sys.stdout.isatty():
        return f"Users: {', '.join(settings.passwords())}; their passwords are in {settings.passwords_file}"
    return "\n".join(f"  user {user}, password {password}" for user, password in settings.passwords().items())


if __name__ == "__main__":
    sys.exit(main())
