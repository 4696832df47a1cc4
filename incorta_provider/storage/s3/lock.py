"""Object Lock: for a number of days nobody can delete or replace a version, whoever holds the keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """How each new version is protected.

    :param mode: ``GOVERNANCE``, which an account with a special right may lift, or ``COMPLIANCE``, which nobody may.
    """

    mode: str
    days: int

    def until(self) -> str:
        """Return until when a version is protected that is made now, as S3 writes times."""
        return f"{datetime.now(UTC) + timedelta(days=self.days):%Y-%m-%dT%H:%M:%SZ}"

    def headers(self) -> dict[str, str]:
        """Return what a request says to protect the version that it makes."""
        return {"x-amz-object-lock-mode": self.mode, "x-amz-object-lock-retain-until-date": self.until()}
