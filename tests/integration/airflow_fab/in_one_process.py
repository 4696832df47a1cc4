"""Runs commands of Airflow, one a line, in one process: each would take seconds to begin by itself.

A line is what a shell would be given. One that begins with ``known`` may fail, and says so, as the function of that
name in the script of the roles does.
"""

from __future__ import annotations

import shlex
import sys

from airflow.cli.cli_parser import get_parser


def run(line: str) -> None:
    words = shlex.split(line)
    tolerant = words[0] == "known"
    arguments = ["roles", "add-perms", *words[1:]] if tolerant else words[1:]
    parsed = get_parser().parse_args(arguments)
    try:
        parsed.func(parsed)
    except SystemExit as ended:
        if not tolerant or not ended.code:
            raise
        print(f"not granted, Airflow does not know that DAG yet: {shlex.join(words[1:])}", file=sys.stderr)


for command in sys.stdin.read().splitlines():
    run(command)
