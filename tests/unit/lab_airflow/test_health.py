from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lab.airflow import health
from lab.airflow.health import Part, unhealthy

STARTED = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SOON_AFTER = (STARTED + timedelta(seconds=3)).isoformat()
BEFORE = (STARTED - timedelta(seconds=3)).isoformat()


def answer(monkeypatch: pytest.MonkeyPatch, response: httpx.Response) -> None:
    monkeypatch.setattr(health.httpx, "get", lambda *_, **__: response)


def healthy(part: Part, beat: str) -> dict[str, Any]:
    return {"metadatabase": {"status": "healthy"}, part: {"status": "healthy", f"latest_{part}_heartbeat": beat}}


@pytest.mark.parametrize("part", [Part.SCHEDULER, Part.DAG_PROCESSOR, Part.TRIGGERER])
def test_a_heartbeat_since_the_start_is_health(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    answer(monkeypatch, httpx.Response(200, json=healthy(part, SOON_AFTER)))
    assert unhealthy("http://lab", part, since=STARTED) == ""


def test_a_former_process_cannot_vouch_for_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, httpx.Response(200, json=healthy(Part.SCHEDULER, BEFORE)))
    assert unhealthy("http://lab", Part.SCHEDULER, since=STARTED) == "scheduler has not reported since its start"


@pytest.mark.parametrize(
    "body",
    [
        {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}},
        {"metadatabase": {"status": "healthy"}, "scheduler": {"status": None}},
        {"metadatabase": {"status": "healthy"}, "scheduler": None},
    ],
)
def test_any_other_status_is_none(monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]) -> None:
    answer(monkeypatch, httpx.Response(200, json=body))
    assert unhealthy("http://lab", Part.SCHEDULER, since=STARTED).startswith("scheduler is ")


def test_a_page_with_status_200_is_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, httpx.Response(200, text="<!doctype html>"))
    reason = unhealthy("http://lab", Part.API_SERVER, since=STARTED)
    assert reason == "http://lab/api/v2/monitor/health answered status 200 and no health report"


def test_silence_is_named() -> None:
    assert unhealthy("http://127.0.0.1:9", Part.API_SERVER, since=STARTED).startswith("the API server does not answer")
