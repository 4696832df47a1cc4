"""Operators: check arguments, call one step, log, return a small reference. One family a module."""
