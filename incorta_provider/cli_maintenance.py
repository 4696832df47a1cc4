"""The commands of ``incorta-dr`` that keep a DR site in order: retention, pins, the change breaker, and drift."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import RUN, Commands, SiteCommands
from incorta_provider.exceptions import NothingToDo
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.pin import pin, unpin
from incorta_provider.steps.prune import look, prune
from incorta_provider.steps.replication.guard import override
from incorta_provider.steps.verify_replica import verify


def add_maintenance(
    commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]
) -> None:
    """Add the commands.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """
    add = SiteCommands(group, user, "the site whose recovery points or replica it is about").add
    pruning = add(commands, "prune", "show which recovery points the retention drops, or drop them", _prune)
    pruning.add_argument("--execute", action="store_true", help="really drop them; without this nothing is changed")
    for name, explained, run in (
        ("pin", "keep a recovery point whatever the retention says", _pin),
        ("unpin", "let the retention decide about it again", _unpin),
    ):
        parser = add(commands, name, explained, run)
        parser.add_argument("--point", required=True, metavar="ID")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="for the ledger")
    breaker = commands.add_parser("breaker", help="the change breaker").add_subparsers(required=True, metavar="ACTION")
    letting = add(breaker, "override", "let the run that it stopped go through, once", _override)
    letting.add_argument("--run-id", required=True, metavar="RUN", help="the run that it stopped; no other is accepted")
    letting.add_argument("--reason", required=True, metavar="TEXT", help="for the ledger")
    _add_verify(add(commands, "verify", "compare the live replica with its recovery point", _verify))


def _add_verify(parser: argparse.ArgumentParser) -> None:
    reading = parser.add_mutually_exclusive_group()
    reading.add_argument("--deep", action="store_true", help="compare every digest, not only names, sizes and times")
    reading.add_argument(
        "--sample-days",
        type=_days,
        metavar="N",
        help="also compare a share of the digests: all of them within N days",
    )
    parser.add_argument("--repair", action="store_true", help="repair what differs")


def _days(text: str) -> int:
    days = int(text)
    if days < 1:
        raise argparse.ArgumentTypeError("a number of days above zero is needed")
    return days


def _prune(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    if access.config.retention is None:
        print("the topology has no retention for this group; these are the defaults")
    report = prune(access, site, by=user, run_id=RUN, tell=print) if arguments.execute else look(access, site)
    for line in report.lines():
        print(line)
    if not arguments.execute:
        print("nothing was changed; --execute does it")
    return 0


def _pin(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    made = pin(access, site, arguments.point, reason=arguments.reason, by=user, run_id=RUN)
    print(f"{made.point} is pinned: {made.reason} (by {made.by})")
    return 0


def _unpin(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    made = unpin(access, site, arguments.point, reason=arguments.reason, by=user, run_id=RUN)
    print(f"{made.point} is not pinned any more")
    return 0


def _override(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    held = override(access, site, arguments.run_id, reason=arguments.reason, by=user)
    print(f"run {held.run_id} may go through, up to what was seen:")
    for reason in held.reasons:
        print(f"  {reason}")
    print("clear the task that failed in that run within an hour; other runs stand aside until then")
    return 0


def _verify(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    days = 1 if arguments.deep else arguments.sample_days
    try:
        outcome = verify(access, site, by=user, run_id=RUN, sample_days=days, repair=arguments.repair)
    except NothingToDo as reason:
        print(reason)
        return 0
    print(outcome.in_words())
    for name in outcome.found.names:
        print(f"  {name}")
    if outcome.repaired and outcome.found.total > outcome.found.missing:
        print("what did not belong there is in the history of the catalog")
    return 1 if outcome.left.total else 0
