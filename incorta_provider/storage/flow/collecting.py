"""Have Python look for garbage less often while millions of small objects come and go.

What a pass makes for each file is gone a moment later, without a cycle. At Python's own pace, each 700 objects, the
collector looks through what is just being worked on again and again: a tenth of all that one process does.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 50_000
"""So many more than there were are looked through: some megabytes, which is what a cycle may cost meanwhile."""


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Frame work on many files, of which several may go on in one process; also a decorator."""
    before, *others = gc.get_threshold()
    gc.set_threshold(max(before, OBJECTS) if before else 0, *others)
    try:
        yield
    finally:
        gc.set_threshold(before, *others)
