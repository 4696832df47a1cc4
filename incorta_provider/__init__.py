"""Disaster recovery of Incorta as an Apache Airflow provider.

Nothing is imported here: Airflow discovers providers before its own
configuration is initialised, so an import of Airflow at this place is circular.
"""

from __future__ import annotations

__version__ = "0.1.0"
