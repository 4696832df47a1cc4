"""Hooks: one system each, thin over the adapters that do the work without Airflow."""
