"""The plugin that Airflow loads through the ``airflow.plugins`` entry point."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class IncortaDrPlugin(AirflowPlugin):
    """Recovery points and reports inside the Airflow UI."""

    name = "incorta_dr"
