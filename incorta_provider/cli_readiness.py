"""The command ``incorta-dr metadata readiness``: whether a pair of databases can do what a recovery asks of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict

from incorta_provider.cli_site_commands import Commands
from incorta_provider.metadata.readiness.finding import Finding
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.metadata_readiness import Verdict, metadata_readiness

_HEAD = ("severity", "subject", "where", "finding")


def add_readiness(actions: Commands, group: Callable[[argparse.Namespace], GroupAccess]) -> None:
    """Add the action.

    :param group: finds the group that the arguments name.
    """

    def command(arguments: argparse.Namespace) -> int:
        access = group(arguments)
        target = access.site(arguments.site)
        source = access.site(arguments.source) if arguments.source else _other(access, target)
        verdict = metadata_readiness(access, source, target)
        print(_document(verdict) if arguments.json else "\n".join(_table(verdict)))
        return 0 if verdict.ready else 1

    parser = actions.add_parser("readiness", help="show what would make a dump or a restore fail, or its result differ")
    parser.add_argument("--group", required=True)
    parser.add_argument("--site", required=True, help="the site whose database would be restored to")
    parser.add_argument("--source", metavar="SITE", help="the site that is dumped (default: the first other one)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(command=command)


def _other(access: GroupAccess, target: SiteAccess) -> SiteAccess:
    """Return the topology's primary, or the first other site when that is the target."""
    names = [access.config.primary, *access.config.dr_sites]
    return access.site(next(name for name in names if name != target.name))


def _document(verdict: Verdict) -> str:
    document = {
        "source": verdict.source,
        "target": verdict.target,
        "judged_by": verdict.judged_by,
        "ready": verdict.ready,
        "findings": [asdict(finding) for finding in verdict.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _table(verdict: Verdict) -> Iterator[str]:
    yield f"metadata of {verdict.source} to {verdict.target}, judged by {verdict.judged_by}"
    if verdict.findings:
        yield from _rows(verdict.findings)
    yield "ready" if verdict.ready else "NOT ready: what is a blocker makes a dump or a restore fail, or come out wrong"


def _rows(findings: list[Finding]) -> Iterator[str]:
    cells = [_HEAD, *((finding.severity, finding.subject, finding.site, finding.reason) for finding in findings)]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    fixes = ["", *(finding.fix for finding in findings)]
    for row, fix in zip(cells, fixes, strict=True):
        padded = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        yield f"{padded}  {row[3]}"
        if fix:
            yield f"{' ' * len(padded)}  → {fix}"
