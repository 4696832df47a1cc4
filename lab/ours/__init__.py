"""The provider's own replication as a process without Airflow, to be cut off where the naive copy is."""
