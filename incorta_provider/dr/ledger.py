"""The ledger: append-only, hash-chained lines that say what was done, when and by whom.

Each line carries the digest of the line before it and its own, so that a changed, removed or inserted line shows. There
is no secret in the chain: whoever rewrites every line from some point on makes a whole one, and only a copy kept
elsewhere tells them apart. The rules are here, the file is in :mod:`incorta_provider.storage.records.ledger_file`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import AwareDatetime, Field, ValidationError

from incorta_provider.dr.frozen import FrozenModel

GENESIS = "0" * 64
"""What the first line names as the digest of the line before it."""

DAMAGED = "ledger.damaged"
"""The event of an entry that was chained to a damaged line: a cutover is not held up by one."""


class LedgerEntry(FrozenModel):
    """One line.

    :ivar sequence: 1 for the first line, then one more a line.
    :ivar event: what happened, dotted and lower case, such as ``point.sealed``.
    :ivar key: makes a retried step write its line once; unique for what happened.
    :ivar actor: the person, or the DAG when no person is involved.
    """

    sequence: int = Field(ge=1)
    at: AwareDatetime
    event: str
    key: str
    group: str
    run_id: str
    actor: str
    details: Mapping[str, Any]
    previous: str
    digest: str

    def to_line(self) -> str:
        """Return the entry as one line of JSON, without the newline."""
        return _line_of(self.model_dump(mode="json"))


def digest_of(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 over the fields of a line, its own digest left out."""
    chained = {name: value for name, value in fields.items() if name != "digest"}
    canonical = json.dumps(chained, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def chained(last: LedgerEntry | None, **fields: Any) -> LedgerEntry:
    """Return the entry that follows ``last``.

    :param fields: ``at, event, key, group, run_id, actor, details``. Details may name files, whose names may be any
        bytes: what is not UTF-8 is written as an escape, so that no strange name keeps an event from being recorded.
    """
    return _linked(last, last.digest if last else GENESIS, fields)


def chained_to_damage(last: LedgerEntry | None, line: str, **fields: Any) -> LedgerEntry:
    """Return the entry that follows a damaged line: it binds that line as it is, so that both stay visible.

    :param last: the newest whole entry before the damage.
    :param line: the damaged line; bytes that are not UTF-8 as surrogates.
    :param fields: ``at, group, run_id, actor``.
    """
    digest = _raw_digest(line)
    details = {"line_sha256": digest, "line_bytes": len(_raw(line))}
    return _linked(last, digest, {**fields, "event": DAMAGED, "key": f"{DAMAGED}:{digest}", "details": details})


def _linked(last: LedgerEntry | None, previous: str, fields: Mapping[str, Any]) -> LedgerEntry:
    draft = LedgerEntry(
        sequence=last.sequence + 1 if last else 1,
        previous=previous,
        digest="",
        **{**fields, "details": _storable(fields["details"])},
    )
    return draft.model_copy(update={"digest": digest_of(draft.model_dump(mode="json"))})


def _raw(line: str) -> bytes:
    return line.encode(errors="surrogateescape")


def _raw_digest(line: str) -> str:
    return hashlib.sha256(_raw(line)).hexdigest()


def _storable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {str(_storable(name)): _storable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(part) for part in value]
    return value


def _line_of(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True)


def parse_line(line: str) -> LedgerEntry:
    """Read one line back.

    :raises ValueError: the line is not an entry.
    """
    return LedgerEntry.model_validate_json(line)


def faults(lines: Iterable[str]) -> list[str]:
    """Return what is wrong with the chain, one sentence a line at fault; empty when it is whole.

    The end of a chain cannot prove itself: lines cut off its end are found only against a copy or a recovery point that
    names them.
    """
    found: list[str] = []
    previous, expected, damage = GENESIS, 1, None
    for number, line in enumerate(lines, start=1):
        try:
            entry = parse_line(line)
        except (ValidationError, ValueError):
            found.append(f"line {number}: no ledger entry")
            damage = _raw_digest(line)
            continue
        link = damage if damage and entry.event == DAMAGED else previous
        found.extend(f"line {number}: {fault}" for fault in _entry_faults(entry, line, link, expected))
        previous, expected, damage = entry.digest, entry.sequence + 1, None
    return found


def _entry_faults(entry: LedgerEntry, line: str, previous: str, sequence: int) -> list[str]:
    found = []
    fields = json.loads(line)
    if entry.digest != digest_of(fields) or line != _line_of(fields):
        found.append("changed after it was written")
    if entry.previous != previous:
        found.append("does not follow the line before it")
    if entry.sequence != sequence:
        found.append(f"has number {entry.sequence}, expected {sequence}")
    return found
