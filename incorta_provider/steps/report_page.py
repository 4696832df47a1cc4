"""The report as one HTML page: styles and picture are in it, it asks for nothing from elsewhere, and runs no script.

So it can be kept in the catalog, sent by mail, and opened when nothing else works.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from incorta_provider.dr.ledger import LedgerEntry
from incorta_provider.dr.report import Report
from incorta_provider.dr.report_picture import short_time, timeline_picture

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def report_page(report: Report, entries: Sequence[LedgerEntry], *, json_at: str = "report.json") -> str:
    """Return the page.

    :param entries: the lines of the ledger that the run wrote.
    :param json_at: where the same report is as JSON.
    """
    picture = Markup(timeline_picture(report))  # noqa: S704 - its texts are escaped where it is made
    return _templates.get_template("report.html").render(
        report=report, entries=entries, picture=picture, json_at=json_at, duration=_duration
    )


def _duration(seconds: float | None) -> str:
    """Return a duration as a person reads it; a dash where there is none."""
    if seconds is None:
        return "-"
    return short_time(round(seconds, 1)) if seconds < 60 else f"{short_time(seconds)} ({seconds:.0f} s)"
