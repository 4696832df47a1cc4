"""Plays the server's scheduler, which writes the status of an event behind the statement that changed it."""

from __future__ import annotations

from typing import Any

import pytest

from incorta_provider.metadata import event_status


def written_behind(monkeypatch: pytest.MonkeyPatch, place: Any) -> list[list[str]]:
    """Switch the event ``ticking`` on again as soon as it was looked at once.

    :return: the events that had to be switched off at that look, once there was one.
    """
    look, seen = event_status._switch, list[list[str]]()

    def looked_at(*arguments: Any) -> list[str]:
        changed = look(*arguments)
        if not seen:
            seen.append(changed)
            place.run("ALTER EVENT ticking ENABLE")
        return changed

    monkeypatch.setattr(event_status, "_switch", looked_at)
    return seen
