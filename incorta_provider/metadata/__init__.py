"""DATABASE: dump, restore, prove, compare and rewrite the metadata schema of an Incorta site.

Imports nothing of the other adapter packages and nothing of Airflow.
"""
