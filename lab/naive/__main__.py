"""``python -m lab.naive``: copies one site of the lab to the other, again and again, until it is cut off."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab.incorta.settings import load_settings
from lab.naive.sync import copy, end


def main(argv: Sequence[str] | None = None) -> int:
    """Copy for ever."""
    parser = argparse.ArgumentParser(prog="python -m lab.naive", description=__doc__)
    parser.add_argument("--source-home", type=Path, required=True, help="Incorta home of a node of the source site")
    parser.add_argument("--target-home", type=Path, required=True, help="Incorta home of a node of the target site")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two rounds (default: 0.2)")
    arguments = parser.parse_args(argv)
    source, target = (end(load_settings(home)) for home in (arguments.source_home, arguments.target_home))
    while True:
        try:
            copy(source, target)
        except subprocess.CalledProcessError as error:
            print(f"round failed: {error}", file=sys.stderr)
        time.sleep(arguments.pause)


if __name__ == "__main__":
    sys.exit(main())
