"""Whether a database is behind a state that it was in before: restored from a backup, or with a log that begins again.

Pure. Two positions are compared as :class:`~incorta_provider.dr.inventory.Inventory` has them: by GTID where both have
one, otherwise by the names and offsets of binary logs, which a server numbers upwards (MariaDB manual, *Binary Log*;
MySQL manual, *The Binary Log*).
"""

from __future__ import annotations

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.replica import lacking


def went_back(before: Inventory, now: Inventory) -> str:
    """Return in which way the later inventory's server is behind; empty when it is not, or it cannot be told."""
    if before.gtid and now.gtid:
        gone = lacking(now.gtid, before.gtid)
        return f"{gone} transaction(s) of {before.gtid} are not in {now.gtid}" if gone else ""
    first, second = _place(before.position), _place(now.position)
    if first and second and first[0] == second[0] and second[1] < first[1]:
        return f"its binary log is at {now.position}, and was at {before.position}"
    return ""


def _place(position: str) -> tuple[str, tuple[int, int]] | None:
    """Return the name that all logs of a server have, and number and offset; None when it is no such position.

    >>> _place("binlog.000012:345")
    ('binlog', (12, 345))
    """
    file, _, offset = position.rpartition(":")
    name, _, number = file.rpartition(".")
    return (name, (int(number), int(offset))) if number.isdigit() and offset.isdigit() else None
