"""What the sensors share: they wait for a reason to disappear, and tell each new one.

The reason is what a person wants to know: it stands in the log when it changes, and in the error when the time is up.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSensorTimeout

from incorta_provider.operators.base import RETRIES, RETRY_DELAY, airflow_errors
from incorta_provider.services.readiness import waiting_for

if TYPE_CHECKING:
    from airflow.sdk import Context

POKE_INTERVAL = timedelta(seconds=2)
"""A start takes seconds, and each of them counts towards the RTO."""
TIMEOUT = timedelta(minutes=30)


class ReadinessSensor(BaseSensorOperator):
    """Base of the sensors; ``poke_interval`` is 2 seconds and ``timeout`` 30 minutes unless set.

    What waiting cannot cure, a wrong password for example, fails the task at once; a time-out is not tried again. The
    retries are for a look that could not be taken, because Airflow's own API did not answer.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("poke_interval", POKE_INTERVAL)
        kwargs.setdefault("timeout", TIMEOUT)
        kwargs.setdefault("retries", RETRIES)
        kwargs.setdefault("retry_delay", RETRY_DELAY)
        super().__init__(**kwargs)
        self._last_reason: str | None = None

    @abstractmethod
    def reason(self) -> str | None:
        """Return why what is waited for is not ready; None when it is."""

    def poke(self, context: Context) -> bool:
        """Look once."""
        with airflow_errors():
            reason = waiting_for(self.reason)
        if reason != self._last_reason:
            self.log.info("%s", reason or "ready")
        self._last_reason = reason
        return reason is None

    def execute(self, context: Context) -> Any:
        """Wait; the error after the last look says what was seen then."""
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(f"{error} Last seen: {self._last_reason}{self.details()}") from None

    def details(self) -> str:
        """Return what else a person wants to know when the time is up."""
        return ""
