"""Notifiers: tell people what happened without them."""
