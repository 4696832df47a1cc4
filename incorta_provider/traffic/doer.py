"""How traffic is switched, whatever does it: look, set, look until it is so.

"Already so" is a pass. What was set is not believed: it is read back, until the doer's time is over.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod

from incorta_provider.dr.traffic import State
from incorta_provider.exceptions import TransientError

log = logging.getLogger(__name__)

POLL = 0.25
LONGEST_POLL = 5.0


class Doer(ABC):
    """One thing that sends people to a site.

    :ivar name: as the topology has it.
    :ivar place: whom it talks to, for errors.
    :ivar seconds: how long it may take until what was set is read back.
    """

    def __init__(self, name: str, place: str, seconds: float) -> None:
        self.name = name
        self.place = place
        self.seconds = seconds

    @abstractmethod
    def read(self) -> State | None:
        """Return what is set now; None when nothing is.

        :raises TransientError: it does not answer.
        :raises ConfigurationError: it does not let us in, or what it has is of another kind.
        """

    @abstractmethod
    def write(self, state: State | None) -> None:
        """Set something; None takes away what was not there before. Raises as :meth:`read` does."""


def switch(doer: Doer, state: State | None) -> bool:
    """Set what must be set, and return whether it was not so before.

    :raises TransientError: it is not so in time; see the errors of the doer besides.
    """
    if doer.read() == state:
        log.info("traffic %s: is so already", doer.name)
        return False
    doer.write(state)
    _wait_until(doer, state)
    log.info("traffic %s: switched", doer.name)
    return True


def _wait_until(doer: Doer, state: State | None) -> None:
    deadline, pause = time.monotonic() + doer.seconds, POLL
    while (found := doer.read()) != state:
        if time.monotonic() + pause > deadline:
            raise TransientError(
                f"traffic {doer.name} was set, but after {doer.seconds:g} s it is still {shown(found)} "
                f"instead of {shown(state)}",
                where=doer.place,
                fix="Find out there what keeps the old value, then clear this task.",
            )
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_POLL)


def shown(state: State | None) -> str:
    """Return a state as a reader reads it."""
    return "absent" if state is None else ", ".join(f"{name} {value}" for name, value in state.items())
