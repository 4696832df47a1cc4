"""The one exception family of the provider.

Every error says *what* failed, *where*, and what to do *next*. The layers below raise these; only the operator layer
turns them into Airflow's own exceptions (:mod:`incorta_provider.operators.base`).

======================  =========================================  ==========================
class                   meaning                                    what the operator layer does
======================  =========================================  ==========================
TransientError          network, throttling, a lock that is busy   retry
ConfigurationError      a wrong setting, a missing tool            fail, no retry
PreconditionError       the situation forbids the step             fail, no retry
IntegrityError          data are not what was recorded             fail, no retry
FencingError            another site may still write               fail, no retry
ApprovalError           unsigned, same person, expired, refused    fail, no retry
NothingToDo             no work is due; not an error               skip
======================  =========================================  ==========================
"""

from __future__ import annotations


class DrError(Exception):
    """Base of all errors that the provider raises on purpose.

    :param what: what failed, one sentence without a full stop.
    :param where: the site, server, file or key that it concerns.
    :param fix: what a person should do next, one sentence.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)  # only what a copy or an unpickled error is made with; the rest travels in __dict__
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        remedy = f" Next: {self.fix}" if self.fix else ""
        return f"{self.what}{place}.{remedy}"


class TransientError(DrError):
    """Something that may pass by itself; trying again is right."""


class ConfigurationError(DrError):
    """A wrong or missing setting, connection or tool; trying again cannot help."""


class PreconditionError(DrError):
    """The situation forbids the step: nothing was changed."""


class IntegrityError(DrError):
    """Data are not what was recorded; never retried, never published."""


class LostWritesError(IntegrityError):
    """A disk refused a part of what was written before; nobody can tell which part, and the disk says so only once."""


class FencingError(DrError):
    """The other site may still write, or this work carries an old epoch."""


class ApprovalError(DrError):
    """The approval is absent, forged, used up, expired, refused or given by the same person."""


class NothingToDo(Exception):  # noqa: N818 - not an error: control flow that ends in a skipped task
    """No work is due."""


class SiteIsActive(NothingToDo):
    """No work is due as long as the site is the active one: only a change of roles makes some."""
