"""The commands of ``incorta-dr`` that look into a site's metadata: how they differ, and what still points elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.metadata_diff import diff_with_point, diff_with_site

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command: TypeAlias = Callable[[GroupAccess, SiteAccess, argparse.Namespace, str], int]
"""Runs for a group and one of its sites, in the name of a person, and returns the exit status."""


def add_metadata(
    actions: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]
) -> None:
    """Add the actions of ``incorta-dr metadata``.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """

    def add(name: str, explained: str, run: Command) -> argparse.ArgumentParser:
        def command(arguments: argparse.Namespace) -> int:
            access = group(arguments)
            return run(access, access.site(arguments.site), arguments, user())

        parser = actions.add_parser(name, help=explained)
        parser.add_argument("--group", required=True)
        parser.add_argument("--site", required=True, help="the site whose metadata it is about")
        parser.set_defaults(command=command)
        return parser

    diff = add("diff", "say in which objects and rows they differ from a recovery point, or from another site", _diff)
    against = diff.add_mutually_exclusive_group()
    against.add_argument("--point", metavar="ID", help="of a recovery point in the site's catalog; else the newest")
    against.add_argument("--with", dest="other", metavar="SITE", help="another site, as it is now")


def _diff(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    if arguments.other:
        what, found = arguments.other, diff_with_site(site, access.site(arguments.other))
    else:
        what, found = diff_with_point(site, arguments.point)
    for difference in found:
        print(difference)
    print(f"{site.name} differs from {what} in {len(found)} place(s)" if found else f"{site.name} equals {what}")
    return 1 if found else 0
