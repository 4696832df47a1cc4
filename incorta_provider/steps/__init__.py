"""The steps of the recovery point protocol and of the cutover, free of Airflow.

Each step is one file: a function that is handed the run it belongs to, and that may be killed and run again at any
point. Operators call them in tasks, the command line calls them on the day that Airflow is down, and tests call them
without either.
"""
