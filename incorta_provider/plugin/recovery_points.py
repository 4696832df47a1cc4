"""The plugin that Airflow loads through the ``airflow.plugins`` entry point."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from incorta_provider.plugin.app import PREFIX, make_app


class IncortaDrPlugin(AirflowPlugin):
    """Recovery points, their ledger and cutover reports inside the Airflow UI."""

    name = "incorta_dr"
    fastapi_apps: list[Any] = [{"app": make_app(), "url_prefix": PREFIX, "name": "Incorta DR"}]  # noqa: RUF012 - as the base class has it
    external_views: list[Any] = [  # noqa: RUF012 - as the base class has it
        {
            "name": "Incorta DR",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "incorta-dr",
        },
        {
            "name": "Recovery point",
            "href": f"{PREFIX}/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "incorta-dr-run",
        },
    ]
