"""The commands ``incorta-dr metadata replica …``: the second way, by which the DR server replicates the source's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from incorta_provider.cli_site_commands import RUN, Commands, SiteCommands
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.metadata_replica import active_site, remove_replica, replica_report, set_up_replica


def add_replica(actions: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]) -> None:
    """Add the actions.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """
    parser = actions.add_parser("replica", help="a replica at the DR server instead of dumps of the source")
    to = parser.add_subparsers(required=True, metavar="ACTION")
    add = partial(SiteCommands(group, user, "the site whose server is the replica").add, to)
    made = add("setup", "make the server a replica, beginning with a recovery point", _set_up)
    made.add_argument("--point", metavar="ID", help="a recovery point in the site's catalog; else the newest")
    add("status", "say where it is, how far behind, and what is wrong", _status)
    add("remove", "stop it and forget it; the data stay as they are", _remove)


def _set_up(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    print(set_up_replica(access, site, arguments.point, by=user, run_id=RUN))
    return 0


def _status(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    report = replica_report(access, site, active_site(access, site))
    for fact in report.facts:
        print(fact)
    for problem in report.problems:
        print(f"PROBLEM: {problem}")
    return 1 if report.problems else 0


def _remove(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    known = remove_replica(access, site, by=user, run_id=RUN)
    print(f"{site.name} replicates no more" if known else f"{site.name} is no replica")
    return 0
