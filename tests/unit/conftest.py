"""How property tests run here: a busy machine must not fail a test that is right."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("calm", deadline=None)
settings.load_profile("calm")
