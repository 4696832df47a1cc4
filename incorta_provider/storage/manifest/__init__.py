"""Manifests and deltas as Parquet files: written, read, and laid over each other."""
