from __future__ import annotations

import os
import pickle
import threading

from incorta_provider.storage.copying.helpers import Helpers
from incorta_provider.storage.flow.board import Board, Counts


class Adds:
    """Counts in whichever process it is called."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def __call__(self, size: int) -> int:
        self.board.move(size)
        self.board.add(files=1)
        return os.getpid()


def test_it_sums_what_threads_count() -> None:
    board = Board()

    def count() -> None:
        for _ in range(1000):
            board.move(3)
            board.add(retries=1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert board.counts() == Counts(size=12_000, files=0, beats=0, retries=4_000)


def test_it_sums_what_helper_processes_count_and_remembers_it_when_they_have_ended() -> None:
    board = Board()
    board.move(5)
    board.add(beats=2)
    with Helpers(Adds(board), 2) as helpers:
        found = []
        threads = [threading.Thread(target=lambda n=n: found.append(helpers(n))) for n in (100, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({os.getpid(), *found}) == 3
    assert board.counts() == Counts(size=125, files=2, beats=2, retries=0)


def test_the_bucket_is_one_for_all_and_no_count_touches_it() -> None:
    board = Board()
    other = pickle.loads(pickle.dumps(board))
    other.bucket[0], other.bucket[1] = -12.5, 99.0
    other.move(1)
    other.add(files=2, beats=3, retries=4)
    assert list(board.bucket) == [-12.5, 99.0]
    assert board.counts() == Counts(1, 2, 3, 4)
    other.close()
    board.close()
