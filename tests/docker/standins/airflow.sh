#!/bin/sh
# Like the official image: waits for the database, then runs a command of Airflow's.
set -eu
airflow db check --retry 20 --retry-delay 3
exec airflow "$@"
