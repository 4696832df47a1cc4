"""``incorta-dr divergence``: what a site wrote apart from the one that took its place."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import Commands, SiteCommands
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.divergence import bundle_lines, bundle_summaries


def add_divergence(
    commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]
) -> None:
    """Add the commands.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """
    parser = commands.add_parser("divergence", help="what an old primary wrote after the last common recovery point")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add = SiteCommands(group, user, "the site that wrote it").add
    add(actions, "list", "list the bundles in a site's catalog", _list)
    show = add(actions, "show", "list the files and rows of one bundle", _show)
    show.add_argument("--bundle", required=True, metavar="ID", help="as `divergence list` names it")


def _list(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    for line in bundle_summaries(site):
        print(line)
    return 0


def _show(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    for line in bundle_lines(site, arguments.bundle):
        print(line)
    return 0
