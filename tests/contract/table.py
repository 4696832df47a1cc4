"""``python -m tests.contract.table``: runs the contract and writes docs/storage-backends.md."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.contract.cells import DOCUMENT, TABLE, Table


class _Collector:
    """Takes the table out of a run."""

    def __init__(self) -> None:
        self.table = Table()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.table = session.config.stash[TABLE]


def main() -> int:
    """Run the suite, or what pytest's arguments choose of it, and write the page.

    Pairs that did not run keep their columns. Nothing is written when a behaviour is not as it should be.
    """
    collector = _Collector()
    here = Path(__file__).parent
    status = pytest.main(["-q", *sys.argv[1:], f"--ignore={here / 'test_table.py'}", str(here)], plugins=[collector])
    if status == pytest.ExitCode.OK:
        collector.table.complete(DOCUMENT.read_text(encoding="utf-8"))
        DOCUMENT.write_text(collector.table.document(), encoding="utf-8")
        print(f"written: {DOCUMENT}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
