"""Adapters that send people to the active site: DNS in Route 53, a command at a host, an HTTP call."""
