"""Which storage URLs of a topology name the same place. Pure."""

from __future__ import annotations

import posixpath


def overlap(one: str, other: str) -> bool:
    """Tell whether two URLs name one folder, or one lies inside the other."""
    first, second = folder_of(one), folder_of(other)
    return first.startswith(second) or second.startswith(first)


def folder_of(url: str) -> str:
    """Return the URL with one spelling for one folder, ending in a slash."""
    scheme, _, path = url.partition("://")
    names = posixpath.normpath("/" + path.lstrip("/")).strip("/")
    return f"{scheme}://{names}/" if names else f"{scheme}://"
