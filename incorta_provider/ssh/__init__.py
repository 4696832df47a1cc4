"""Logins at nodes over SSH: with pinned host keys only, and with errors that a person can act upon."""
