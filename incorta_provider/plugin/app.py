"""The pages of the plugin: read-only, and only for people who are logged in.

Airflow mounts a plugin's application without authentication, so the whole router carries the guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from incorta_provider.exceptions import ConfigurationError, DrError, PreconditionError
from incorta_provider.operators.base import dr_access, topology_path
from incorta_provider.plugin.views import View, cutover_view, group_view, point_view, run_view
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.report_page import report_page
from incorta_provider.steps.topology_file import read_topology

PREFIX = "/incorta-dr"

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

router = APIRouter(dependencies=[Depends(requires_authenticated())], default_response_class=HTMLResponse)


@router.get("/")
def overview() -> str:
    """Show every protection group, its sites and their newest recovery points."""
    groups, problems = _of_each_group(lambda access: [group_view(access)])
    return _page("overview.html", title="Incorta DR", groups=groups, problems=problems)


@router.get("/runs/{run_id:path}")
def run(run_id: str) -> str:
    """Show what one run of a DAG made: the tab on the run's own page."""
    outcomes, problems = _of_each_group(lambda access: run_view(access, run_id))
    return _page("run.html", title=f"Run {run_id}", outcomes=outcomes, problems=problems)


@router.get("/groups/{group}/sites/{site}/points/{point}")
def recovery_point(group: str, site: str, point: str) -> str:
    """Show one recovery point and its lines in the ledger."""
    with _errors_told():
        view = point_view(dr_access(group).site(site), point)
    return _page("point.html", title=f"Recovery point {point}", **view)


@router.get("/groups/{group}/sites/{site}/cutovers/{run_id:path}")
def cutover(group: str, site: str, run_id: str) -> str:
    """Show the report of one cutover, as it is by now."""
    with _errors_told():
        report, entries = cutover_view(dr_access(group), site, run_id)
    place = "/".join(quote(part, safe="") for part in ("groups", group, "sites", site, "reports", run_id))
    return report_page(report, entries, json_at=f"{PREFIX}/{place}")


@router.get("/groups/{group}/sites/{site}/reports/{run_id:path}", response_class=JSONResponse)
def report_document(group: str, site: str, run_id: str) -> dict[str, Any]:
    """Return the same report as JSON."""
    with _errors_told():
        report, _ = cutover_view(dr_access(group), site, run_id)
    return report.model_dump(mode="json")


def make_app() -> FastAPI:
    """Return the application that Airflow mounts under :data:`PREFIX`."""
    app = FastAPI(title="Incorta DR", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router)
    return app


@contextmanager
def _errors_told() -> Iterator[None]:
    """Tell what is not there apart from what is there and cannot be shown."""
    try:
        yield
    except (ConfigurationError, PreconditionError) as error:
        raise HTTPException(404, str(error)) from None
    except DrError as error:
        raise HTTPException(500, str(error)) from None


def _of_each_group(view: Callable[[GroupAccess], Iterable[View]]) -> tuple[list[View], list[str]]:
    """Return the views of all groups, and what is wrong: with one group it must not hide the others."""
    try:
        names = list(read_topology(topology_path()).groups)
    except DrError as error:
        return [], [str(error)]
    found: list[View] = []
    problems = []
    for name in names:
        try:
            found += view(dr_access(name))
        except (DrError, OSError) as error:
            problems.append(f"Protection group {name}: {error}")
    return found, problems


def _page(template: str, **values: Any) -> str:
    return _templates.get_template(template).render(prefix=PREFIX, **values)
