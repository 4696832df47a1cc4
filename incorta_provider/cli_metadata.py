"""The commands of ``incorta-dr`` about a site's metadata: what differs, what points elsewhere, what to rewrite."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from incorta_provider.cli_readiness import add_readiness
from incorta_provider.cli_replica import add_replica
from incorta_provider.cli_site_commands import RUN, Commands, SiteCommands
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.metadata_diff import diff_with_point, diff_with_site
from incorta_provider.steps.metadata_references import look_at_references
from incorta_provider.steps.metadata_rewrite import Hand, drill_rules, site_rules
from incorta_provider.steps.metadata_scan import scan_site


def add_metadata(
    commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]
) -> None:
    """Add the command ``metadata`` with its actions.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """
    actions = commands.add_parser("metadata", help="the metadata").add_subparsers(required=True, metavar="ACTION")
    add_readiness(actions, group)
    add = partial(SiteCommands(group, user, "the site whose metadata it is about").add, actions)
    diff = add("diff", "show which objects and rows differ from a recovery point, or from another site", _diff)
    against = diff.add_mutually_exclusive_group()
    against.add_argument("--point", metavar="ID", help="a recovery point in the site's catalog (default: the newest)")
    against.add_argument("--with", dest="other", metavar="SITE", help="another site, as it is now")
    scan = add("scan", "find what still points to another site, in the metadata and in snapshot files", _scan)
    _add_from(scan)
    rewriting = add("rewrite", "replace the other site's values by the topology's rules", _rewrite)
    _add_from(rewriting)
    rewriting.add_argument(
        "--drill", action="store_true", help="use the rules for drills, which switch off jobs and mail"
    )
    how = rewriting.add_mutually_exclusive_group(required=True)
    how.add_argument("--dry-run", action="store_true", help="show each value before and after; nothing is changed")
    how.add_argument("--execute", metavar="DIGEST", help="do what --dry-run showed under this digest, and nothing else")
    undoing = add("undo", "take a rewrite back: each value becomes what it was", _undo)
    undoing.add_argument("--digest", required=True, help="of the rewrite")
    add_replica(actions, group, user)
    named = add(
        "references", "list files that the metadata of a point name and that are missing, and orphans", _references
    )
    named.add_argument("--point", metavar="ID", help="in the site's catalog (default: the newest)")


def _add_from(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="source", metavar="SITE", help="the other site; only needed in a group of more than two"
    )


def _diff(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    if arguments.other:
        what, found = arguments.other, diff_with_site(site, access.site(arguments.other))
    else:
        what, found = diff_with_point(site, arguments.point, access.config.metadata.mapping)
    for difference in found:
        print(difference)
    print(f"{site.name} differs from {what} in {len(found)} place(s)" if found else f"{site.name} equals {what}")
    return 1 if found else 0


def _scan(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    other = _other(access, site, arguments)
    scanned = scan_site(access, site, other)
    for finding in scanned.findings:
        print(finding)
    print(
        f"searched all text columns, all definitions and {scanned.files} file(s) of {site.name} for "
        f"{', '.join(scanned.searched_for) or 'nothing'} of {other.name}: {len(scanned.findings)} place(s)"
    )
    return 1 if scanned.findings else 0


def _rewrite(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    rules = drill_rules(access, site) if arguments.drill else site_rules(access, _other(access, site, arguments), site)
    hand = Hand(access, site, user, RUN)
    if arguments.execute:
        done = hand.do(rules, seen=arguments.execute)
        print(f"{len(done.changes)} value(s) rewritten; `metadata undo --digest {done.sha256}` restores them")
        return 0
    seen = hand.look(rules)
    for change in seen.changes:
        print(change)
    print(f"{len(seen.changes)} value(s) would be rewritten; nothing was changed; --execute {seen.sha256} does this")
    return 0


def _undo(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    restored = Hand(access, site, user, RUN).undo(arguments.digest)
    print(f"{restored} value(s) restored" if restored else "all values are what they were already")
    return 0


def _references(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace, user: str) -> int:
    found = look_at_references(access, site, arguments.point)
    for line in found.unmet:
        print(line)
    for line in found.orphans:
        print(f"orphan: {line}")
    print(
        f"{found.point}: the metadata name {found.named} file(s); {len(found.unmet)} missing or different, "
        f"{len(found.orphans)} orphan(s)"
    )
    return 1 if found.unmet else 0


def _other(access: GroupAccess, site: SiteAccess, arguments: argparse.Namespace) -> SiteAccess:
    others = [arguments.source] if arguments.source else [name for name in access.config.sites if name != site.name]
    if others == [site.name] or len(others) != 1:
        raise ConfigurationError(
            f"the values of several other sites could be meant: {', '.join(others)}",
            where="command line",
            fix="Name the other site with --from.",
        )
    return access.site(others[0])
