"""Sensors: wait until a part of a site is really ready, and say what is missing."""
