"""The timeline of a report as a picture: an SVG that needs nothing from elsewhere, its texts escaped.

Colours come from classes that the page styles (``bar``, ``wait``, ``usual``, ``failed``, ``line``), so that it follows
light and dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from incorta_provider.dr.report import FailedTry, Report, StepTime

WIDTH, LEFT, RIGHT, TOP, ROW = 960, 176, 72, 42, 24
BAR = 12
MAX_TICKS = 8
STEPS_OF_TICKS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400)
"""Seconds between two marks of the scale that a person reads without counting."""


@dataclass(frozen=True)
class _Scale:
    """From seconds to the picture's horizontal places."""

    seconds: float

    def x(self, seconds: float) -> float:
        inside = min(max(seconds, 0.0), self.seconds)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * inside / self.seconds, 1)


def timeline_picture(report: Report) -> str:
    """Return the picture: a row for each step, from the approval to the end."""
    scale = _Scale(max(_shown_seconds(report), 0.1))
    height = TOP + ROW * max(len(report.steps), 1) + 8
    parts = [
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Timeline of {escape(report.run_id)}" xmlns="http://www.w3.org/2000/svg">',
        *_ticks(scale, height),
        *_moment(scale, height, report.rto_seconds, "verified", "verified"),
        *_moment(scale, height, _objective_inside(report, scale.seconds), "objective", "objective"),
    ]
    reached = 0.0
    for row, step in enumerate(report.steps):
        failed = [each for each in report.failed_tries if each.step == step.name]
        parts += _row(scale, TOP + ROW * row, step, reached, failed)
        reached = max(reached, step.done_after_seconds)
    return "\n".join([*parts, "</svg>"])


def _shown_seconds(report: Report) -> float:
    """An objective that is far away would press the steps into a corner: it is drawn only when it is near."""
    end = report.end_seconds
    objective = report.rto_objective_seconds or 0.0
    return objective if end < objective <= 1.25 * end else end


def _objective_inside(report: Report, seconds: float) -> float | None:
    objective = report.rto_objective_seconds
    return objective if objective is not None and objective <= seconds else None


def tick_seconds(seconds: float) -> float:
    """Return the distance of the scale's marks.

    >>> tick_seconds(37.6)
    5
    """
    return next((step for step in STEPS_OF_TICKS if seconds / step <= MAX_TICKS), STEPS_OF_TICKS[-1])


def short_time(seconds: float) -> str:
    """Return a time as it stands at the scale.

    >>> [short_time(seconds) for seconds in (0.5, 20, 90, 7200)]
    ['0.5 s', '20 s', '1:30 min', '2:00 h']
    """
    if seconds < 60:
        return f"{seconds:g} s"
    unit, whole, part = ("h", 3600, 60) if seconds >= 3600 else ("min", 60, 1)
    return f"{int(seconds // whole)}:{int(seconds % whole // part):02d} {unit}"


def _ticks(scale: _Scale, height: int) -> Iterator[str]:
    distance = tick_seconds(scale.seconds)
    for number in range(int(scale.seconds / distance) + 1):
        x = scale.x(number * distance)
        yield f'<line class="line" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{height - 4}"/>'
        yield f'<text class="small" x="{x}" y="{TOP - 28}" text-anchor="middle">{short_time(number * distance)}</text>'


def _moment(scale: _Scale, height: int, seconds: float | None, kind: str, label: str) -> Iterator[str]:
    if seconds is None:
        return
    x = scale.x(seconds)
    yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP - 8}" y2="{height - 4}"/>'
    yield f'<text class="small {kind}" x="{x}" y="{TOP - 10}" text-anchor="middle">{label}</text>'


def _row(scale: _Scale, top: int, step: StepTime, reached: float, failed: list[FailedTry]) -> Iterator[str]:
    middle, bar_top = top + ROW / 2, top + (ROW - BAR) / 2
    began, done = scale.x(step.began_after_seconds), scale.x(step.done_after_seconds)
    yield f'<text x="{LEFT - 10}" y="{middle + 4}" text-anchor="end">{escape(step.name)}</text>'
    if (waited := scale.x(reached)) < began:
        yield f'<line class="wait" x1="{waited}" x2="{began}" y1="{middle}" y2="{middle}"/>'
    width = round(max(done - began, 2.0), 1)
    yield (
        f'<rect class="bar" x="{began}" y="{bar_top}" width="{width}" height="{BAR}" rx="2">'
        f"<title>{escape(_in_words(step))}</title></rect>"
    )
    label = began + width
    if step.usual_seconds is not None:
        x = scale.x(step.began_after_seconds + step.usual_seconds)
        label = max(label, x)
        yield f'<line class="usual" x1="{x}" x2="{x}" y1="{bar_top - 3}" y2="{bar_top + BAR + 3}"/>'
    for each in failed:
        yield _cross(scale.x(each.after_seconds), middle, each)
    yield f'<text class="small" x="{label + 8:.1f}" y="{middle + 4}">{step.seconds:.1f} s</text>'


def _cross(x: float, y: float, failed: FailedTry) -> str:
    lines = f"M{x - 4} {y - 4}L{x + 4} {y + 4}M{x - 4} {y + 4}L{x + 4} {y - 4}"
    return f'<path class="failed" d="{lines}"><title>{escape(f"a try failed: {failed.reason}")}</title></path>'


def _in_words(step: StepTime) -> str:
    usual = "" if step.usual_seconds is None else f", usually {step.usual_seconds:.1f} s"
    return f"{step.name} at {step.site}: {step.seconds:.1f} s{usual}; done {step.done_after_seconds:.1f} s after"
