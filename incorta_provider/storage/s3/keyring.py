"""The keys that sign the requests to one bucket, renewed in time; for many threads.

:raises TransientError: of each call: the keys have expired, and who gives new ones does not answer now.
:raises ConfigurationError: they have expired, and the connection gives no new ones.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from dataclasses import replace

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import DrError
from incorta_provider.storage.s3.access import Keys

RENEW_BEFORE_SECONDS = 300.0
"""So long before they expire keys are renewed; while that fails, they are used as they are."""

TRY_AGAIN_SECONDS = 10.0
"""Between two tries: each may wait for a server that does not answer."""

log = logging.getLogger(__name__)


class KeyRing:
    """The keys of one bucket."""

    def __init__(self, info: ConnectionInfo, keys: Keys) -> None:
        self._info = info
        self._keys = keys
        self._lock = threading.Lock()
        self._again = 0.0
        self._fault: DrError | None = None

    def current(self) -> Keys:
        """Return keys that are valid, as far as this worker knows."""
        keys = self._keys
        if keys.renewable and keys.expires is not None:
            left = keys.expires - time.time()
            if left <= 0:
                self._renew(keys)
            elif left < RENEW_BEFORE_SECONDS and time.monotonic() >= self._again:
                self._renew_early(left)
        return self._keys

    def expired(self, keys: Keys) -> None:
        """Note that the server takes these keys no more: the next request needs others."""
        with self._lock:
            if self._keys is keys:
                self._keys = replace(keys, expires=0.0)

    def _renew(self, old: Keys) -> None:
        with self._lock:
            if self._keys is not old:
                return
            if self._fault is not None and time.monotonic() < self._again:
                raise copy.copy(self._fault)
            self._fetch()

    def _renew_early(self, left: float) -> None:
        """Renew keys that are valid for minutes yet: one thread does, and nobody waits for it or fails by it."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._fetch()
        except DrError as error:
            log.warning("The keys of %s expire in %.0f s and could not be renewed: %s", self._info.conn_id, left, error)
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        from incorta_provider.storage.s3.session import renewed  # noqa: PLC0415 - heavy in a helper process

        self._fault = None
        try:
            self._keys = renewed(self._info)
        except DrError as error:
            self._fault = error
            raise
        finally:
            self._again = time.monotonic() + TRY_AGAIN_SECONDS
