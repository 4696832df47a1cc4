"""The command of ``incorta-dr`` that opens a fenced site."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import Commands, SiteCommands
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.unfence import unfence


def add_fence(commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]) -> None:
    """Add the command.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """
    add = SiteCommands(group, user, "the site to open").add
    parser = add(commands, "unfence", "open a fenced site beside the active one; no cutover does that", _unfence)
    parser.add_argument("--reason", default="", metavar="TEXT", help="for the ledger")
    parser.add_argument("--confirm", default="", metavar="PHRASE", help="UNFENCE and the site's name")


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
