"""What a topology says about Incorta's tables and files, whose names are not public."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from incorta_provider.dr.definers import parse_rule
from incorta_provider.dr.frozen import FrozenModel, Text


def _definer(text: str) -> str:
    parse_rule(text)
    return text


Definer = Annotated[Text, AfterValidator(_definer)]
"""A database account, ``user@host``, or ``invoker``, or both with a comma between."""


class RewriteRule(FrozenModel):
    """Replace the source site's value by the target's in one column."""

    table: Text
    column: Text
    value: Text


class DrillRule(FrozenModel):
    """Write one value into a column of a copy that is tried out: tenants or scheduled jobs off, for example.

    :ivar to: as text, whatever the column's type.
    :ivar only: into the rows that hold this value; None for all rows.
    """

    table: Text
    column: Text
    to: str
    only: str | None = None


class AllowedColumn(FrozenModel):
    """A column that may hold values of the other site."""

    table: Text
    column: Text


class ScanRules(FrozenModel):
    """Where values of the other site are searched for, and where they may stand. Patterns are on the relative path.

    :ivar files: the files of the storage whose content is searched: by themselves snapshots, and Delta's logs, which
        may hold whole paths.
    :ivar allowed_files: those of them that may hold such a value.
    """

    files: tuple[Text, ...] = ("*/ddm/*", "*/snapshots/*", "*/_delta_log/*")
    allowed_files: tuple[Text, ...] = ()
    allowed_columns: tuple[AllowedColumn, ...] = ()


class EngineMapping(FrozenModel):
    """How a MariaDB's metadata become a MySQL's, or the other way round.

    :ivar collations: the target's by the source's; those that both have need no entry. Another collation may sort and
        compare in another way: which one will do is for a person to say.
    """

    collations: dict[Text, Text] = Field(default_factory=dict)


class ReplicaRules(FrozenModel):
    """The second way: the target's server replicates the source's, and is stopped at each recovery point.

    :ivar wait_seconds: how long it may take to get to a point's position. After that the metadata are dumped at the
        source, as without a replica.
    """

    wait_seconds: int = Field(default=300, ge=1)


class MetadataRules(FrozenModel):
    """Queries for files, and rules for values.

    :ivar references: queries that return ``path`` (relative to the storage root) and, where known, ``size`` and
        ``sha256`` of each file that the metadata names.
    :ivar definers: which account takes the place of which in what is dumped, as ``user@host``; ``*`` stands for every
        other one, ``invoker`` for the rights of who uses a view or a routine. Without a rule a definer stays, and must
        exist at each site.
    :ivar accounted: files that the metadata are to name; one that they do not name is listed as an orphan. Patterns on
        the relative path.
    :ivar drill: what to switch off in a copy that is tried out.
    :ivar mapping: allows sites whose servers are of unlike engines; without it, a restore there is refused.
    :ivar replica: takes the points from a replica at the target; without it each is a dump of the source.
    """

    references: tuple[Text, ...] = ()
    definers: dict[Text, Definer] = Field(default_factory=dict)
    accounted: tuple[Text, ...] = ("*/source/*",)
    rewrite: tuple[RewriteRule, ...] = ()
    drill: tuple[DrillRule, ...] = ()
    scan: ScanRules = ScanRules()
    mapping: EngineMapping | None = None
    replica: ReplicaRules | None = None

    @model_validator(mode="after")
    def _replica_as_it_is(self) -> Self:
        if self.replica is not None and (self.mapping is not None or self.definers):
            raise ValueError("a replica is what the source is: metadata.replica goes with neither mapping nor definers")
        return self
