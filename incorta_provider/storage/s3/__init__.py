"""Buckets: as a source, and as a target whose versions are the bytes of the recovery points."""
