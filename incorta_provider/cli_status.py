"""The commands of ``incorta-dr`` that look at everything and change nothing: the status, and the ledger's chain."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from incorta_provider.cli_site_commands import Commands
from incorta_provider.exceptions import DrError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.foreign_errors import own_errors
from incorta_provider.steps.status import ledger_faults, status_lines


def add_status(commands: Commands, groups: Callable[[argparse.Namespace], Iterable[GroupAccess]]) -> None:
    """Add the commands.

    :param groups: finds the groups that the arguments mean.
    """

    def status(arguments: argparse.Namespace) -> int:
        for access in groups(arguments):
            for line in status_lines(access):
                print(line)
        return 0

    def verify(arguments: argparse.Namespace) -> int:
        sites = [access.site(name) for access in groups(arguments) for name in access.config.sites]
        verdicts = [_is_whole(site) for site in sites]
        return 0 if all(verdicts) else 1

    showing = commands.add_parser("status", help="active site, recovery points and cutovers of each group")
    ledger = commands.add_parser("ledger", help="the ledger").add_subparsers(required=True, metavar="ACTION")
    verifying = ledger.add_parser("verify", help="check that no line was changed, removed or inserted")
    for parser, command in ((showing, status), (verifying, verify)):
        parser.add_argument("--group", help="only this protection group")
        parser.set_defaults(command=command)


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
