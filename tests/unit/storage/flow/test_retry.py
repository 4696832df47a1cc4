from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.storage.flow.board import Board, Counts
from incorta_provider.storage.flow.retry import TRIES, Persistent
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.tree import Missed
from tests.builders.storage import file

BATCH = [file(b"a"), file(b"b"), file(b"c")]


class Script:
    """A copier that fails as it is told, by path."""

    def __init__(self, faults: dict[bytes, list[Exception]] | None = None) -> None:
        self.faults = faults or {}
        self.calls: list[bytes] = []

    def __call__(self, batch: list[Entry]) -> list[Entry | Missed]:
        self.calls.append(b"".join(entry.path for entry in batch))
        for entry in batch:
            if faults := self.faults.get(entry.path):
                raise faults.pop(0)
        return [Missed.VANISHED if entry.path == b"b" else entry for entry in batch]


class Tried:
    """A persistent copier with what it did."""

    def __init__(self, script: Script) -> None:
        self.pauses: list[float] = []
        self.throttle = Throttle(Board(), None)
        self.copy = Persistent(script, self.throttle, self.pauses.append)

    @property
    def counts(self) -> Counts:
        return self.throttle.board.counts()


def transient(what: str) -> TransientError:
    return TransientError(what, where="s3://bucket", fix="Wait.")


def test_what_works_is_done_once_and_counted() -> None:
    script = Script()
    tried = Tried(script)
    assert tried.copy(BATCH) == [BATCH[0], Missed.VANISHED, BATCH[2]]
    assert script.calls == [b"abc"]
    assert tried.counts == Counts(files=3)
    assert tried.pauses == []


def test_a_batch_that_failed_is_copied_file_by_file_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    script = Script({b"b": [transient("503 SlowDown"), transient("timed out")]})
    tried = Tried(script)
    with caplog.at_level(logging.WARNING):
        assert tried.copy(BATCH) == [BATCH[0], Missed.VANISHED, BATCH[2]]
    assert script.calls == [b"abc", b"a", b"b", b"b", b"c"]
    assert tried.counts == Counts(files=3, retries=2)
    assert [record.getMessage() for record in caplog.records] == [
        "a is tried again: 503 SlowDown [s3://bucket]. Next: Wait.",
        "b is tried again: timed out [s3://bucket]. Next: Wait.",
    ]


def test_what_keeps_failing_ends_with_its_first_error_and_the_number_of_tries() -> None:
    faults = [transient(f"fault {number}") for number in range(20)]
    script = Script({b"a": faults})
    tried = Tried(script)
    with pytest.raises(TransientError) as caught:
        tried.copy(BATCH)
    assert caught.value.what == "fault 1 (tried 6 times)"
    assert (caught.value.where, caught.value.fix) == ("s3://bucket", "Wait.")
    assert script.calls == [b"abc", *[b"a"] * (TRIES - 1)]
    assert tried.counts == Counts(retries=TRIES - 1)


def test_pauses_grow_are_random_and_bounded() -> None:
    runs = []
    for _ in range(30):
        tried = Tried(Script({b"a": [transient("fault") for _ in range(20)]}))
        with pytest.raises(TransientError):
            tried.copy(BATCH)
        runs.append(tried.pauses)
    for place, longest in enumerate((0.5, 1, 2, 4, 8)):
        pauses = [pauses[place] for pauses in runs]
        assert 0 <= min(pauses) < max(pauses) <= longest
    assert max(pauses[-1] for pauses in runs) > 2


def test_what_trying_again_cannot_help_is_not_tried_again() -> None:
    script = Script({b"c": [IntegrityError("may not be read")]})
    tried = Tried(script)
    with pytest.raises(IntegrityError):
        tried.copy(BATCH)
    assert script.calls == [b"abc"]
    assert tried.pauses == []


def test_a_helper_process_imports_nothing_that_takes_long() -> None:
    program = (
        "import sys, incorta_provider.storage.flow.retry, incorta_provider.storage.copying.helper_process;"
        "print(sorted({'pydantic', 'tenacity', 'asyncio', 'pyarrow', 'airflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
