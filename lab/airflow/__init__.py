"""A real Airflow for the lab: API server, scheduler, DAG processor and triggerer, with a database of its own."""
