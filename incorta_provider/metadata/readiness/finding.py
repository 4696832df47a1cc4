"""What readiness has to say, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_SHOWN = 5


class Severity(StrEnum):
    """How much a finding matters; the worst first.

    A *blocker* makes a dump or a restore fail, or its result wrong. A *warning* leaves the data right and something
    around them not. A *note* is what a person should know.
    """

    BLOCKER = "blocker"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    :ivar subject: what was looked at, for example ``sql_mode``.
    :ivar site: where it is to be mended.
    :ivar reason: what was found.
    :ivar fix: what a person should do; empty when nothing needs to be done.
    """

    severity: Severity
    subject: str
    site: str
    reason: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}.{f' Next: {self.fix}' if self.fix else ''}"


def sorted_by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, the worst first, else in the order in which they were found."""
    order = list(Severity)
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def blockers(findings: Iterable[Finding]) -> list[Finding]:
    """Return those that stand in the way."""
    return [finding for finding in findings if finding.severity is Severity.BLOCKER]


def some(names: Iterable[str]) -> str:
    """Return the first few names and how many there are more.

    >>> some(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    known = list(names)
    more = len(known) - _SHOWN
    return ", ".join(known[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
