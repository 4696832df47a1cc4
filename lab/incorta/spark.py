"""The Spark that Incorta brings: here a master that listens at its port and does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.incorta.home import Home
from lab.incorta.settings import NodeSettings
from lab.incorta.web import Route, json_response, serving

NAME = "spark"


@contextmanager
def spark(_: Home, settings: NodeSettings) -> Iterator[None]:
    """Run the master while the block runs."""
    with serving(settings.ports["spark"], [Route("GET", "/.*", lambda _: json_response({"status": "ALIVE"}))]):
        yield
