"""``python -m lab.ours``: makes recovery points, again and again, until it is cut off."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from incorta_provider.exceptions import DrError
from lab.ours.loop import one_round
from lab.state import open_lab


def main(argv: Sequence[str] | None = None) -> int:
    """Replicate for ever."""
    parser = argparse.ArgumentParser(prog="python -m lab.ours", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="state folder of the lab")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two rounds (default: 0.2)")
    arguments = parser.parse_args(argv)
    lab = open_lab(arguments.root)
    while True:
        try:
            print(f"sealed {one_round(lab).id}", flush=True)
        except DrError as error:
            print(f"round failed: {error}", file=sys.stderr, flush=True)
        time.sleep(arguments.pause)


if __name__ == "__main__":
    sys.exit(main())
