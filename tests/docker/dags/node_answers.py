"""One of the provider's sensors, in a DAG of somebody's own."""

from __future__ import annotations

from airflow.sdk import DAG

from incorta_provider.sensors.incorta_node import IncortaNodeSensor

with DAG(dag_id="node_answers", schedule=None):
    IncortaNodeSensor(task_id="wait", incorta_node_conn_id="some_node", timeout=60, retries=0)
