"""The epoch registry of one site: which site of a protection group is active.

A change is a compare-and-set: it names what it read before, and of two writers one wins and the other is refused.

:raises FencingError: the role changed meanwhile, or the change would turn the epoch back.
:raises IntegrityError: what stands in ZooKeeper is not a role of this group.
:raises TransientError: see :mod:`incorta_provider.coordination.session`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from incorta_provider.coordination.session import Session
from incorta_provider.dr.epoch import Role
from incorta_provider.exceptions import FencingError, IntegrityError, PreconditionError


@dataclass(frozen=True, slots=True)
class StoredRole:
    """A role as it was read, with the version that a change of it must name."""

    role: Role
    version: int


class RoleRegistry:
    """Reads and changes ``/incorta_dr/<group>/role`` at one ensemble."""

    def __init__(self, session: Session, group: str) -> None:
        self._session = session
        self._group = group
        self._path = f"/incorta_dr/{group}/role"

    def read(self) -> StoredRole | None:
        """Return the role; None before :meth:`init`."""
        stored = self._session.read(self._path)
        return None if stored is None else StoredRole(self._parse(stored.value), stored.version)

    def init(self, role: Role) -> StoredRole:
        """Write the first role.

        :raises PreconditionError: there is one already, and it is another.
        """
        self._ensure_own(role)
        created = self._session.create(self._path, _serialised(role))
        stored = self.read()
        if stored is None:
            raise self._changed("it was removed at the same moment")
        if not created and stored.role != role:
            raise PreconditionError(
                f"the epoch registry exists: {_in_words(stored.role)}",
                where=self._path,
                fix="Nothing was changed. `incorta-dr status` shows what it says.",
            )
        return stored

    def compare_and_set(self, expected: StoredRole, new: Role) -> StoredRole:
        """Replace the role that was read by a new one; a role that is set already is left as it is."""
        self._ensure_own(new)
        if new == expected.role:
            return expected
        if new.epoch < expected.role.epoch:
            raise FencingError(
                f"the epoch would go back from {expected.role.epoch} to {new.epoch}",
                where=self._path,
                fix="This work is older than the last change of roles; start over.",
            )
        version = self._session.replace(self._path, _serialised(new), expected.version)
        if version is not None:
            return StoredRole(new, version)
        current = self.read()
        if current is not None and current.role == new:
            return current
        raise self._changed(f"it now says: {_in_words(current.role)}" if current else "it is gone")

    def _parse(self, value: bytes) -> Role:
        try:
            role = Role.model_validate_json(value)
        except ValidationError as error:
            raise self._foreign(f"{error.error_count()} fault(s) in it") from None
        if role.group != self._group:
            raise self._foreign(f"it is of group {role.group}")
        return role

    def _ensure_own(self, role: Role) -> None:
        if role.group != self._group:
            raise self._foreign(f"it is of group {role.group}")

    def _foreign(self, detail: str) -> IntegrityError:
        return IntegrityError(
            f"this is not a role of group {self._group}: {detail}",
            where=self._path,
            fix="Find out who wrote it; the other site's registry and the ledger say what is right.",
        )

    def _changed(self, detail: str) -> FencingError:
        return FencingError(
            f"the role changed after it was read; {detail}",
            where=self._path,
            fix="Nothing was written. Another run changed the roles; see `incorta-dr status`.",
        )


def _serialised(role: Role) -> bytes:
    return role.model_dump_json().encode()


def _in_words(role: Role) -> str:
    return f"{role.active} active, epoch {role.epoch}, {role.state}, by {role.changed_by} in run {role.run_id}"
