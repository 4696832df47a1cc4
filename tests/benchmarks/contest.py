"""A contest: everyone does the same work, one after the other, several rounds, each round in another order.

Nobody is timed while others run, and nobody always goes first. Before each run everything written so far is brought to
disk, so that no one pays for another's writes.
"""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 3)
"""A median of fewer says nothing; one is enough to see that a benchmark runs."""

Samples = Mapping[str, Sequence["Sample"]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One run.

    :param cpu_seconds: of all processors together; on a machine that has other work, the steadier figure of the two.
        Of a database server nothing is in it.
    :param phases: seconds by what they were spent on; overlapping ones are marked by their names.
    :param peak_mib: memory of all processes together, at its highest; only ours is measured.
    """

    seconds: float
    cpu_seconds: float
    phases: Mapping[str, float] = field(default_factory=dict)
    peak_mib: float = 0.0

    @property
    def times(self) -> tuple[float, float]:
        """Both times."""
        return self.seconds, self.cpu_seconds


def _nothing() -> None: ...


@dataclass(frozen=True, slots=True)
class Contender:
    """Who takes part.

    :param prepare: brings about the state to start from; not timed.
    """

    name: str
    run: Callable[[], Sample]
    prepare: Callable[[], None] = _nothing


def compete(*contenders: Contender, before_round: Callable[[], None] = _nothing) -> Samples:
    """Return each contender's samples, one a round."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(ROUNDS):
        before_round()
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            contender.prepare()
            os.sync()
            sample = contender.run()
            samples[contender.name].append(sample)
            log.info("round %d: %s %.2f s, %.2f s of processors", number + 1, contender.name, *sample.times)
    return samples


def command(*argv: str) -> Sample:
    """Time a command from its start to its end."""
    started = Clocks.now()
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    took = Clocks.now().since(started)
    return Sample(took.wall, took.cpu)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Wall clock, and processor time of this process and of the children that it has waited for; seconds."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Clocks:
        """Read both."""
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(time.monotonic(), sum(usage.ru_utime + usage.ru_stime for usage in usages))

    def since(self, start: Clocks) -> Clocks:
        """Return what has passed."""
        return Clocks(self.wall - start.wall, self.cpu - start.cpu)
