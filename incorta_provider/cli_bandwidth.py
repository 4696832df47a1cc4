"""The command of ``incorta-dr`` that limits how fast copies may be, also those that run."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import Commands, SiteCommands
from incorta_provider.dr.sizes import parse_size
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.bandwidth import clear_bandwidth, set_bandwidth

UNLIMITED = "unlimited"


def add_bandwidth(
    commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]
) -> None:
    """Add the command.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """
    actions = commands.add_parser("bandwidth", help="limit how fast copies to a site are, also running ones")
    chosen = actions.add_subparsers(required=True, metavar="ACTION")
    add = SiteCommands(group, user, "the site that is copied to").add
    limit = add(chosen, "set", "set a limit that overrides the topology's", _set)
    limit.add_argument("value", type=_rate, metavar="VALUE", help=f"bytes per second, such as 20MB; or {UNLIMITED}")
    add(chosen, "clear", "return to the topology's limit", _clear)


def _set(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    print(f"{site.name}: {set_bandwidth(access, site, arguments.value, by=user)}")
    return 0


def _clear(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    print(f"{site.name}: {clear_bandwidth(access, site, by=user)}")
    return 0


def _rate(text: str) -> int | None:
    """Return the bytes per second that a person typed; None for no limit."""
    try:
        return None if text == UNLIMITED else parse_size(text.removesuffix("/s"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, or {UNLIMITED}") from None
