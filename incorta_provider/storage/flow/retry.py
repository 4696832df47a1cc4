"""Try again what may pass by itself, before a whole task is tried again.

A batch that fails is copied file by file, each with growing and random pauses, so that many helpers do not come back to
an overloaded server at the same moment. What keeps failing ends the task, with its first error.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.copying.proven import Outcome
from incorta_provider.storage.flow.throttle import Throttle, lent

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = logging.getLogger(__name__)

Batch = list[Entry]
Copy = Callable[[Batch], Sequence[Outcome]]

TRIES = 6
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds at most: 0.5 after the first try, then 1, 2, 4, 8; 8 in the middle for all. Then Airflow tries again."""


class Persistent:
    """A copier that does not give up at once; pickled with the copier for helper processes.

    :param copy: fails with :class:`~incorta_provider.exceptions.TransientError` where trying again is right.
    :param throttle: of the copy; counts files and tries.
    """

    def __init__(self, copy: Copy, throttle: Throttle, sleep: Callable[[float], None] = time.sleep) -> None:
        self._copy = copy
        self._throttle = throttle
        self._sleep = sleep

    def __call__(self, batch: Batch) -> Sequence[Outcome]:
        """Copy a batch and return what came of each file.

        :raises TransientError: a file failed each time; the first error, and how often it was tried.
        :raises DrError: what trying again cannot help.
        """
        with lent(self._throttle.mine):
            try:
                outcomes = self._copy(batch)
                self._throttle.board.add(files=len(batch))
            except TransientError as error:
                self._note(batch[0], error)
                self._sleep(random.uniform(0.1, FIRST_PAUSE))  # noqa: S311 - no secret
                outcomes = [self._one(entry) for entry in batch]
        return outcomes

    def _one(self, entry: Entry) -> Outcome:
        import tenacity  # noqa: PLC0415 - takes 0.1 s, which a helper process saves as long as nothing fails

        first: list[TransientError] = []

        def keep(state: RetryCallState) -> None:
            error = state.outcome and state.outcome.exception()
            if isinstance(error, TransientError):
                first.append(error)

        def again(state: RetryCallState) -> None:
            self._note(entry, first[-1])

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(TRIES - 1),  # the batch was the first
            wait=tenacity.wait_random_exponential(multiplier=2 * FIRST_PAUSE, max=LONGEST_PAUSE),
            retry=tenacity.retry_if_exception_type(TransientError),
            after=keep,
            before_sleep=again,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            outcome = retrying(self._copy, [entry])[0]
        except TransientError:
            raise TransientError(
                f"{first[0].what} (tried {TRIES} times)", where=first[0].where, fix=first[0].fix
            ) from None
        self._throttle.board.add(files=1)
        return outcome

    def _note(self, entry: Entry, error: TransientError) -> None:
        log.warning("%s is tried again: %s", shown(entry.path), error)
        self._throttle.board.add(retries=1)
