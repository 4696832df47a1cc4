"""A lab of its own for the tests that kill servers, beside the session's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.layout import Lab
from lab.testbed import borrowed
from tests.builders.lab_state import STATE


@pytest.fixture(scope="module")
def own_lab() -> Iterator[Lab]:
    """Lend an empty lab to the tests of one module."""
    with borrowed(STATE) as lab:
        yield lab
