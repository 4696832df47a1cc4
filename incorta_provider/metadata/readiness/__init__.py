"""The readiness of a pair of databases: facts of both servers in, findings out.

The rules are pure; :mod:`~incorta_provider.metadata.readiness.reader` alone asks servers.
"""
