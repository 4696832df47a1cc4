"""The commands of ``incorta-dr`` that open a fenced site, each on a person's typed word."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import Commands, SiteCommands
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.take_back import take_back
from incorta_provider.steps.unfence import unfence


def add_fence(commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]) -> None:
    """Add the commands.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """
    add = SiteCommands(group, user, "the site to open").add
    parser = add(commands, "unfence", "open a fenced site beside the active one; then both can be written to", _unfence)
    taking = add(commands, "take-back", "make a fenced site active again after the site being promoted was lost", _take)
    taking.add_argument("--confirm", default="", metavar="PHRASE", help="type the lost site's name and IS OFF")
    parser.add_argument("--reason", default="", metavar="TEXT", help="for the ledger")
    parser.add_argument("--confirm", default="", metavar="PHRASE", help="type UNFENCE and the site's name")


def _unfence(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    done = unfence(access, site, reason=arguments.reason, confirmation=arguments.confirm, by=user)
    if done.mark is None:
        print(f"{site.name}: its database is not fenced by anything that this topology names")
    else:
        print(f"{site.name}: its database is open again; cutover {done.mark.run_id} had fenced it")
        print(f"  unlocked: {', '.join('@'.join(account) for account in done.mark.accounts) or 'nobody'}")
    if done.role is not None and done.role.active != site.name:
        print(f"{done.role.active} is still the active site (epoch {done.role.epoch}): both can be written to now")
    return 0


def _take(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    done = take_back(access, site, confirmation=arguments.confirm, by=user)
    print(f"{site.name} is active again (epoch {done.role.epoch}); start Incorta there")
    if done.database_left:
        print(f"its database is not open: {done.database_left}")
    for name, reason in done.not_told.items():
        print(f"{name} was not told: {reason}")
    print(f"when {done.lost} is back: `incorta-dr cutover abort --group {access.name} --run {done.run_id}`, at once")
    return 1 if done.database_left else 0
