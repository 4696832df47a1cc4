"""Rewrite a site's metadata by the topology's rules: look first, do what was seen, take it back.

:raises PreconditionError: the diff is not the one that was seen; a drill's rules at the active site.
:raises IntegrityError: the database refuses a value, or an undo meets a value that changed since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incorta_provider.dr.rewriting import Rewriting
from incorta_provider.exceptions import PreconditionError
from incorta_provider.metadata import rewrite as metadata_rewrite
from incorta_provider.metadata.rewrite import Put, Replace, Rule
from incorta_provider.metadata.undo import undo
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.roles import role_at
from incorta_provider.storage.records.rewritings import Rewritings


def site_rules(access: GroupAccess, source: SiteAccess, target: SiteAccess) -> list[Rule]:
    """Return the rules that make the source's values the target's."""
    return [
        Replace(rule.table, rule.column, source.config.values[rule.value], target.config.values[rule.value])
        for rule in access.config.metadata.rewrite
    ]


def drill_rules(access: GroupAccess, target: SiteAccess) -> list[Rule]:
    """Return the rules that keep a copy quiet: tenants or scheduled jobs off.

    :raises PreconditionError: the target is the active site, whose users would notice.
    """
    role = role_at(access, target)
    if role is not None and role.active == target.name:
        raise PreconditionError(
            f"{target.name} is the active site: its tenants and jobs are not switched off",
            where=f"group {access.name}",
            fix="Name a DR site.",
        )
    return [Put(rule.table, rule.column, rule.to, rule.only) for rule in access.config.metadata.drill]


@dataclass(frozen=True)
class Hand:
    """Who rewrites, where, for the ledger."""

    access: GroupAccess
    site: SiteAccess
    by: str
    run_id: str

    def look(self, rules: list[Rule]) -> Rewriting:
        """Return what the rules would do now; nothing is changed."""
        return metadata_rewrite.preview(self.site.database, rules)

    def do(self, rules: list[Rule], *, seen: str) -> Rewriting:
        """Do what was seen, and note it."""
        keep = Rewritings(self.site.catalog).keep
        done = metadata_rewrite.rewrite(self.site.database, rules, keep=keep, seen=seen)
        self._note("metadata.rewritten", done, {"values": len(done.changes)})
        return done

    def undo(self, sha256: str) -> int:
        """Take a rewrite back, note it, and return how many values were restored."""
        done = Rewritings(self.site.catalog).get(sha256)
        restored = undo(self.site.database, done)
        self._note("metadata.rewrite_undone", done, {"values": restored})
        return restored

    def _note(self, event: str, done: Rewriting, details: dict[str, Any]) -> None:
        at = self.access.clock()
        self.site.ledger.append(
            event,
            at=at,
            key=f"{event}:{done.sha256}:{at.isoformat()}",
            group=self.access.name,
            run_id=self.run_id,
            actor=self.by,
            details={"sha256": done.sha256, **details},
        )
