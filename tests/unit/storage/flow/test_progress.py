from __future__ import annotations

import pytest

from incorta_provider.storage.flow.board import Counts
from incorta_provider.storage.flow.progress import Progress, Total, shown_seconds

MB = 10**6
TOTAL = Total(4_000, 4_800 * MB)


def test_the_line_says_how_far_how_fast_and_how_long_still() -> None:
    progress = Progress(TOTAL, now=50.0)
    report = progress.report(Counts(size=1_200 * MB, files=1_200), now=60.0)
    assert report.line() == ("copied 1,200 of 4,000 files, 1.2 GB of 4.8 GB (25%); 120.0 MB/s, 120 files/s; 0:30 left")


def test_the_rate_is_that_of_the_time_since_the_line_before() -> None:
    progress = Progress(TOTAL, now=0.0)
    progress.report(Counts(size=1_000 * MB, files=1_000), now=3.0)
    report = progress.report(Counts(size=1_100 * MB, files=1_500, retries=2), now=13.0)
    assert report.line() == (
        "copied 1,500 of 4,000 files, 1.1 GB of 4.8 GB (23%); 10.0 MB/s, 50 files/s; 6:10 left; 2 tried again"
    )


def test_the_time_left_is_that_of_what_takes_longer() -> None:
    report = Progress(TOTAL, now=0.0).report(Counts(size=4_700 * MB, files=100), now=10.0)
    assert report.seconds_left == pytest.approx(390)


def test_when_nothing_moves_nobody_knows_how_long_it_takes() -> None:
    progress = Progress(TOTAL, now=0.0)
    progress.report(Counts(size=MB, files=1), now=3.0)
    report = progress.report(Counts(size=MB, files=1), now=13.0)
    assert report.line().endswith("; 0 B/s, 0 files/s; time left unknown")


def test_bytes_that_were_moved_twice_do_not_make_more_than_all() -> None:
    report = Progress(Total(1, 10), now=0.0).report(Counts(size=30, files=0, retries=2), now=3.0)
    assert "30 B of 10 B (100%)" in report.line()


def test_without_bytes_the_files_count() -> None:
    report = Progress(Total(4, 0), now=0.0).report(Counts(files=1), now=2.0)
    assert report.line() == "copied 1 of 4 files, 0 B of 0 B (25%); 0 B/s, 0 files/s; 0:06 left"


def test_a_line_is_due_after_three_seconds_and_then_every_ten() -> None:
    progress = Progress(TOTAL, now=100.0)
    assert not progress.is_due(102.9)
    assert progress.is_due(103.0)
    progress.report(Counts(), now=103.0)
    assert not progress.is_due(112.9)
    assert progress.is_due(113.0)


def test_the_summary_is_about_the_whole_copy() -> None:
    progress = Progress(TOTAL, now=0.0)
    progress.report(Counts(size=100 * MB, files=10), now=3.0)
    report, seconds = progress.last(Counts(size=4_800 * MB, files=4_000, retries=3), now=40.0)
    assert report.summary(seconds) == "copied 4,000 files, 4.8 GB in 0:40; 120.0 MB/s, 100 files/s; 3 tried again"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (93_784, "26:03:04")])
def test_a_duration_is_hours_minutes_and_seconds(seconds: float, text: str) -> None:
    assert shown_seconds(seconds) == text
