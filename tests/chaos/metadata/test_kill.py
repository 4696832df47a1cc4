"""``kill -9`` before and behind every statement and every record of a restore, of its way back and of its commit."""

from __future__ import annotations

import pytest

from incorta_provider.dr.inventory import Inventory
from tests.chaos.metadata.stage import Stage

pytestmark = pytest.mark.lab


def test_a_restore_that_was_killed_goes_on(stage: Stage) -> None:
    def ensure(old: Inventory) -> None:
        stage.order("restore").finish()
        stage.ensure_new()
        stage.order("return").finish()
        stage.ensure_old(old)

    stage.kill_everywhere("restore", ensure)


def test_a_restore_that_was_killed_is_taken_back(stage: Stage) -> None:
    def ensure(old: Inventory) -> None:
        if (stage.folder / "switch.json").exists():
            stage.order("return").finish()
        stage.ensure_old(old)

    stage.kill_everywhere("restore", ensure)


def test_a_way_back_that_was_killed_goes_on(stage: Stage) -> None:
    def ensure(old: Inventory) -> None:
        stage.order("return").finish()
        stage.ensure_old(old)

    stage.kill_everywhere("return", ensure, before=("restore",))


def test_a_commit_that_was_killed_goes_on(stage: Stage) -> None:
    def ensure(old: Inventory) -> None:
        stage.order("commit").finish()
        stage.ensure_new()
        assert stage.dr.beside() == []

    stage.kill_everywhere("commit", ensure, before=("restore",))
