"""Have Python look for garbage less often while millions of small objects come and go.

What a pass makes for each file is gone a moment later, without a cycle. At Python's own pace, each 700 objects, the
collector looks through what is just being worked on again and again: a tenth of all that one process does.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 50_000
"""So many more than there were are looked through: some megabytes, which is what a cycle may cost meanwhile."""


_lock = threading.Lock()
_frames = 0
_before = gc.get_threshold()


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Frame work on many files, of which several may go on in one process; also a decorator."""
    global _frames, _before  # noqa: PLW0603 - so is what Python looks for garbage by
    with _lock:
        if not _frames:
            first, *others = _before = gc.get_threshold()
            gc.set_threshold(max(first, OBJECTS) if first else 0, *others)
        _frames += 1
    try:
        yield
    finally:
        with _lock:
            _frames -= 1
            if not _frames:
                gc.set_threshold(*_before)
