"""The commands of ``incorta-dr`` about drills."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import Commands, SiteCommands
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.drill.clean import clean_site
from incorta_provider.steps.drill.status import drill_lines


def add_drill(commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]) -> None:
    """Add the commands.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """
    actions = commands.add_parser("drill", help="drills").add_subparsers(required=True, metavar="ACTION")
    add = SiteCommands(group, user, about="the site that the drill is at").add
    add(actions, "status", "print whether one is in place, how the last ones went, which points are proven", _status)
    add(actions, "clean", "remove what a drill left behind", _clean)


def _status(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    for line in drill_lines(site):
        print(line)
    return 0


def _clean(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    run_id = clean_site(access, site.name, by=user)
    print(f"{site.name}: no drill is in place" if run_id is None else f"{site.name}: drill {run_id} is taken away")
    return 0
