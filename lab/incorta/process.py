"""The life of one process of the simulator: one at a time, says how it is, ends when it is asked to."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from incorta_provider.exceptions import DrError
from lab.incorta.home import Home
from lab.incorta.settings import NodeSettings, load_settings
from lab.incorta.status import State, claim, write_status

log = logging.getLogger(__name__)

Body = Callable[[Home, NodeSettings], AbstractContextManager[None]]
"""What a process is: entered, it has started; left, it has ended. An error while entering is a failed start."""


def run(path: Path, name: str, body: Body) -> int:
    """Run a process until SIGTERM and return its exit status.

    :param path: the Incorta home.
    :param name: of the process within its home.
    """
    _log_to_stderr()
    home = Home(path)
    lock = claim(home, name)
    if lock is None:
        log.info("%s runs already", name)
        return 0
    with lock:
        stop = threading.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: stop.set())
        write_status(home, name, State.STARTING)
        return _live(home, name, body, stop)


def _live(home: Home, name: str, body: Body, stop: threading.Event) -> int:
    log.info("%s is starting", name)
    try:
        with body(home, load_settings(home.path)):
            write_status(home, name, State.STARTED)
            log.info("%s has started", name)
            stop.wait()
    except DrError as error:
        log.error("%s", error)
        write_status(home, name, State.FAILED, error.what)
        return 1
    except Exception as error:
        log.exception("%s failed", name)
        write_status(home, name, State.FAILED, f"{type(error).__name__}: {error}")
        return 1
    write_status(home, name, State.STOPPED)
    log.info("%s has stopped", name)
    return 0


def _log_to_stderr() -> None:
    logging.Formatter.converter = time.gmtime
    line = "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=line, datefmt="%Y-%m-%dT%H:%M:%S")
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)
