"""Commands of ``incorta-dr`` that are about one site of a group."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from incorta_provider.steps.access import GroupAccess, SiteAccess

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command: TypeAlias = Callable[[GroupAccess, SiteAccess, argparse.Namespace, str], int]
"""Runs for a group and one of its sites, in the name of a person, and returns the exit status."""

RUN = "command line"
"""What stands in the ledger where Airflow's run would."""


@dataclass(frozen=True, slots=True)
class SiteCommands:
    """Adds such commands.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    :param about: explains the option ``--site``.
    """

    group: Callable[[argparse.Namespace], GroupAccess]
    user: Callable[[], str]
    about: str

    def add(self, to: Commands, name: str, explained: str, run: Command) -> argparse.ArgumentParser:
        """Add one, and return its parser for more options."""

        def command(arguments: argparse.Namespace) -> int:
            access = self.group(arguments)
            return run(access, access.site(arguments.site), arguments, self.user())

        parser = to.add_parser(name, help=explained)
        parser.add_argument("--group", required=True)
        parser.add_argument("--site", required=True, help=self.about)
        parser.set_defaults(command=command)
        return parser
