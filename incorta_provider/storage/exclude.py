"""Which paths are left out.

A pattern is matched against the whole relative path, ``*`` crosses ``/``, and case matters. A folder is left out, with
all that it holds, when its path or its path with ``/`` after it matches: ``*/.tmp/*`` leaves out each ``.tmp`` folder
that is not at the top.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence


class Exclude:
    """The patterns of one replication, ready to match."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._regex = re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns)) if patterns else None

    def __bool__(self) -> bool:
        """Whether anything can be left out at all."""
        return self._regex is not None

    def matches(self, path: bytes, *, is_folder: bool) -> bool:
        """Tell whether the path is left out. Names that are not UTF-8 match through their undecodable bytes."""
        if self._regex is None:
            return False
        text = path.decode("utf-8", "surrogateescape")
        return bool(self._regex.match(text) or (is_folder and self._regex.match(text + "/")))
