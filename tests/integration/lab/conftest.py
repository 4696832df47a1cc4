"""A lab of its own for the tests that kill servers, beside the session's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.layout import Lab
from lab.testbed import borrowed


@pytest.fixture(scope="module")
def own_lab() -> Iterator[Lab]:
    """Lend an empty lab to the tests of one module."""
    with borrowed(Path(__file__).resolve().parents[3] / ".lab-test") as lab:
        yield lab
