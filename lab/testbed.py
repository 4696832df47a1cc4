"""A lab for one test run: state folder and ports that no other run uses at the same time.

The claim on a range of ports is an abstract Unix socket (unix(7)): the kernel gives it to one process of the machine,
and takes it back when that process ends, however it ends. What a run that was cut off left behind is ended and removed
by the next run that gets the same ports.

Raises :class:`~incorta_provider.exceptions.PreconditionError` when every range is in use.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from incorta_provider.exceptions import PreconditionError
from lab.layout import SPAN, Lab
from lab.servers.server import port_is_free
from lab.supervisor import Supervisor

BASES = range(10000, 20000 - SPAN, SPAN)
"""Where the ports of a test run may begin: below the demo's own."""

T = TypeVar("T")


class Pair(NamedTuple, Generic[T]):
    """The same kind of thing at both sites."""

    primary: T
    dr: T


@contextmanager
def borrowed(folder: Path, bases: Iterable[int] = BASES) -> Iterator[Lab]:
    """Lend an empty lab below ``folder`` and end every process of it afterwards.

    The state folder stays when the run is over, for its logs; the next run with the same ports removes it.
    """
    lab, claim = _claim(folder, bases)
    with claim:
        Supervisor(lab).kill_all()
        shutil.rmtree(lab.root, ignore_errors=True)
        lab.root.mkdir(parents=True)
        try:
            yield lab
        finally:
            Supervisor(lab).kill_all()


def _claim(folder: Path, bases: Iterable[int]) -> tuple[Lab, socket.socket]:
    """Return the first lab whose ports are ours alone, with the socket that keeps it so."""
    for base in bases:
        lab = Lab(folder.resolve() / str(base), base)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0incorta-lab-{base}")
        except OSError:
            claim.close()
            continue
        Supervisor(lab).kill_all()
        if all(port_is_free(port) for port in lab.ports()):
            return lab, claim
        claim.close()
    raise PreconditionError(
        "every range of test ports is in use",
        where=f"ports {min(bases)} to {max(bases) + SPAN}",
        fix="End the other test runs; `ss -ltnp` shows what listens.",
    )
