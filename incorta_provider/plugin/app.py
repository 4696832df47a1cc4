"""The pages of the plugin: read-only, and only for people who are logged in.

Airflow mounts a plugin's application without authentication, so the whole router carries the guard.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from incorta_provider.exceptions import DrError
from incorta_provider.operators.base import dr_access, topology_path
from incorta_provider.plugin.views import cutover_view, group_view, point_view, run_view
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
    try:
        groups = [group_view(dr_access(name)) for name in read_topology(topology_path()).groups]
    except DrError as error:
        return _page("problem.html", title="Incorta DR", problem=str(error))
    return _page("overview.html", title="Incorta DR", groups=groups)


@router.get("/runs/{run_id:path}")
def run(run_id: str) -> str:
    """Show what one run of a DAG made: the tab on the run's own page."""
    try:
        groups = [dr_access(name) for name in read_topology(topology_path()).groups]
        outcomes = [outcome for access in groups for outcome in run_view(access, run_id)]
    except DrError as error:
        return _page("problem.html", title="Incorta DR", problem=str(error))
    return _page("run.html", title=f"Run {run_id}", outcomes=outcomes)


@router.get("/groups/{group}/sites/{site}/points/{point}")
def recovery_point(group: str, site: str, point: str) -> str:
    """Show one recovery point and its lines in the ledger."""
    try:
        view = point_view(dr_access(group).site(site), point)
    except DrError as error:
        raise HTTPException(404, str(error)) from None
    return _page("point.html", title=f"Recovery point {point}", **view)


@router.get("/groups/{group}/sites/{site}/cutovers/{run_id:path}")
def cutover(group: str, site: str, run_id: str) -> str:
    """Show the report of one cutover."""
    try:
        view = cutover_view(dr_access(group).site(site), run_id)
    except DrError as error:
        raise HTTPException(404, str(error)) from None
    return _page("cutover.html", title=f"Cutover of {group} to {site}", **view)


def make_app() -> FastAPI:
    """Return the application that Airflow mounts under :data:`PREFIX`."""
    app = FastAPI(title="Incorta DR", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router)
    return app


def _page(template: str, **values: Any) -> str:
    return _templates.get_template(template).render(prefix=PREFIX, **values)
