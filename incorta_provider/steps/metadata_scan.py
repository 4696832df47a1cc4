"""Look for what still points to another site: in the metadata, and in the files of the live replica.

:raises IntegrityError: a file cannot be read.
:raises TransientError: a file changed while it was read, or the database cannot be reached.
"""

from __future__ import annotations

from dataclasses import dataclass

from incorta_provider.dr.manifest import shown
from incorta_provider.metadata.scan import Finding, scan
from incorta_provider.metadata.text_columns import forms
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.storage.content_search import Wanted, search_files


@dataclass(frozen=True)
class Scanned:
    """What was searched, and what was found.

    :ivar searched_for: names of the other site's values.
    :ivar files: how many were searched.
    """

    searched_for: list[str]
    files: int
    findings: list[Finding]


def scan_site(access: GroupAccess, site: SiteAccess, other: SiteAccess) -> Scanned:
    """Search everything for the values of the other site. A value that both share does not count as the other's."""
    needles = _needles(site, other)
    allowed = {(column.table, column.column) for column in access.config.metadata.scan.allowed_columns}
    found = scan(site.database, needles, own=site.config.values.values(), allowed=allowed)
    files, in_files = scan_files(access, site, other)
    return Scanned(sorted(needles), files, [*found, *in_files])


def scan_files(access: GroupAccess, site: SiteAccess, other: SiteAccess) -> tuple[int, list[Finding]]:
    """Search only the files of the live replica; return how many there are, and what was found."""
    needles, own, rules = _needles(site, other), site.config.values.values(), access.config.metadata.scan
    wanted = Wanted(
        {name: _bytes([value]) for name, value in needles.items()},
        _bytes([value for value in own if any(needle in value for needle in needles.values())]),
    )
    tree = site.target.live(access.config.replication.exclude)
    searched = search_files(tree, rules.files, wanted, passed_over=rules.allowed_files)
    return searched.files, [Finding(f"file {shown(path)}", name, 0) for path, name in searched.found]


def _needles(site: SiteAccess, other: SiteAccess) -> dict[str, str]:
    own = site.config.values.values()
    return {name: value for name, value in other.config.values.items() if value not in own}


def _bytes(values: list[str]) -> list[bytes]:
    return [form.encode() for value in values for form in forms(value)]
