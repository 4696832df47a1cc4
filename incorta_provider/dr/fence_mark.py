"""What a fence leaves at a database server: by whom it was fenced, and what has to be undone to open it again.

It lies at the fenced server itself, so that it comes back with it. Pure.
"""

from __future__ import annotations

from typing import Self

from pydantic import AwareDatetime

from incorta_provider.dr.definers import Account
from incorta_provider.dr.frozen import FrozenModel


class FenceMark(FrozenModel):
    """The fence of one schema.

    :ivar run_id: the cutover that took the role from the site.
    :ivar accounts: those that the fence locked; one that was already locked is not among them, and stays locked.
    :ivar events: those that the fence switched off.
    :ivar read_only: whether the fence made the server read-only, which it was not before.
    """

    group: str
    run_id: str
    by: str
    at: AwareDatetime
    accounts: tuple[Account, ...] = ()
    events: tuple[str, ...] = ()
    read_only: bool = False

    def with_changes(self, accounts: list[Account], events: list[str], *, read_only: bool) -> Self:
        """Return the mark with what is about to be changed as well: a second fence adds to the first one."""
        return self.model_copy(
            update={
                "accounts": (*self.accounts, *(each for each in accounts if each not in self.accounts)),
                "events": (*self.events, *(each for each in events if each not in self.events)),
                "read_only": self.read_only or read_only,
            }
        )
