"""Rules of disaster recovery: pure. No Airflow, no I/O, no clock and no randomness of their own."""
