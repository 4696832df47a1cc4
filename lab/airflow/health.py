"""Asks Airflow how it is, by the body of its health page.

The status code alone proves nothing: the API server answers unknown paths, too, with a page and status 200.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import httpx

PATH = "/api/v2/monitor/health"


class Part(StrEnum):
    """What the health page reports on: Airflow's names."""

    API_SERVER = "metadatabase"
    SCHEDULER = "scheduler"
    DAG_PROCESSOR = "dag_processor"
    TRIGGERER = "triggerer"


def unhealthy(url: str, part: Part, *, since: datetime) -> str:
    """Return why a part of Airflow cannot be used yet; empty when it can.

    :param since: when the part's process was started. An older heartbeat is a former process's.
    """
    try:
        page = httpx.get(f"{url}{PATH}", timeout=5, trust_env=False, verify=False)  # loopback, without TLS
    except httpx.HTTPError as error:
        return f"the API server does not answer: {type(error).__name__}"
    try:
        report = page.json()[part]
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"{url}{PATH} answered status {page.status_code} and no health report"
    return _fault(report, part, since)


def _fault(report: dict[str, Any] | None, part: Part, since: datetime) -> str:
    report = report or {}
    if report.get("status") != "healthy":
        return f"{part} is {report.get('status') or 'not started'}"
    beat = report.get(f"latest_{part}_heartbeat")
    if part is not Part.API_SERVER and (beat is None or datetime.fromisoformat(beat) < since.astimezone(UTC)):
        return f"{part} has not reported since its start"
    return ""
