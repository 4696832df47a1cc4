"""The command of ``incorta-dr`` that makes Airflow's roles."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import Commands
from incorta_provider.dr.airflow_roles import role_script
from incorta_provider.dr.topology import Topology


def add_roles(commands: Commands, topology: Callable[[argparse.Namespace], Topology]) -> None:
    """Add the command.

    :param topology: reads the topology that the arguments name.
    """

    def run(arguments: argparse.Namespace) -> int:
        for line in role_script(topology(arguments).groups):
            print(line)
        return 0

    parser = commands.add_parser(
        "roles", help="print the script that makes the roles of people in Airflow with FAB: `incorta-dr roles | sh`"
    )
    parser.set_defaults(command=run)
