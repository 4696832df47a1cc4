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
    """Search everything for the values of the other site. One that both sites share is none of the other's."""
    own, rules = site.config.values.values(), access.config.metadata.scan
    needles = {name: value for name, value in other.config.values.items() if value not in own}
    allowed = {(column.table, column.column) for column in rules.allowed_columns}
    found = scan(site.database, needles, own=own, allowed=allowed)
    wanted = Wanted(
        {name: _bytes([value]) for name, value in needles.items()},
        _bytes([value for value in own if any(needle in value for needle in needles.values())]),
    )
    tree = site.target.live(access.config.replication.exclude)
    files = search_files(tree, rules.files, wanted, passed_over=rules.allowed_files)
    found += [Finding(f"file {shown(path)}", name, 0) for path, name in files.found]
    return Scanned(sorted(needles), files.files, found)


def _bytes(values: list[str]) -> list[bytes]:
    return [form.encode() for value in values for form in forms(value)]
