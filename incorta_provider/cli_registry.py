"""The commands of ``incorta-dr`` about what ZooKeeper keeps of a group: its epoch and its lock."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import Commands, SiteCommands
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.locking import release_dead
from incorta_provider.steps.roles import adopt_role, initialise_roles


def add_registry(
    commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]
) -> None:
    """Add the commands.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """

    def initialise(arguments: argparse.Namespace) -> int:
        return _initialise(group(arguments), arguments, user())

    epoch = commands.add_parser("epoch", help="the epoch registry").add_subparsers(required=True, metavar="ACTION")
    init = epoch.add_parser("init", help="record at every site which one is active; once, before the first replication")
    init.add_argument("--group", required=True)
    which = init.add_mutually_exclusive_group(required=True)
    which.add_argument("--active", metavar="SITE", help="the site that is active now")
    which.add_argument("--site", metavar="SITE", help="restore the role in this site's registry, which lost it")
    init.add_argument("--confirm", default="", metavar="PHRASE", help="with --site, when no other registry answers")
    init.set_defaults(command=initialise)
    lock = commands.add_parser("lock", help="the lock of a group").add_subparsers(required=True, metavar="ACTION")
    add = SiteCommands(group, user, "the site whose ZooKeeper keeps the lock: the target").add
    release = add(lock, "release", "release the lock of a run that is known to be dead", _release)
    release.add_argument("--run", required=True, metavar="RUN_ID", help="the run that holds it; no other is touched")


def _initialise(access: GroupAccess, arguments: argparse.Namespace, user: str) -> int:
    if arguments.site:
        role = adopt_role(access, access.site(arguments.site), confirmation=arguments.confirm, by=user)
        print(f"{arguments.site}: epoch {role.epoch}, active {role.active}, {role.state}")
        return 0
    for site, role in initialise_roles(access, active=arguments.active, by=user).items():
        print(f"{site}: epoch {role.epoch}, active {role.active}, {role.state}")
    return 0


def _release(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    release_dead(access, site, arguments.run, by=user)
    print(f"the lock of run {arguments.run} at {site.name} is released")
    return 0
