"""Ends a program that makes no progress: otherwise we would wait for its pipe forever."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Watch:
    """A program that is watched.

    :ivar ended: whether it was ended, because it did not go on.
    """

    process: subprocess.Popen[bytes]
    seconds: float
    ended: bool = False
    _last: float = field(default_factory=time.monotonic)
    _over: threading.Event = field(default_factory=threading.Event)

    def goes_on(self) -> None:
        """Note that it took something."""
        self._last = time.monotonic()

    def look(self) -> None:
        """Look at it now and then, until it is over."""
        while not self._over.wait(min(_LOOK_SECONDS, self.seconds)):
            if self.process.poll() is None and time.monotonic() - self._last > self.seconds:
                self.ended = True
                self.process.kill()
                return

    def end(self) -> None:
        """Look at it no more."""
        self._over.set()


@contextmanager
def watched(process: subprocess.Popen[bytes], seconds: float) -> Iterator[Watch]:
    """Watch a program as long as the block lasts, and end it when it has made no progress for that many seconds."""
    watch = Watch(process, seconds)
    thread = threading.Thread(target=watch.look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()
