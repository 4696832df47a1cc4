"""The Loader service: opens the site's data, runs scheduled jobs, and shows that it is up at its two ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lab.incorta.home import Home
from lab.incorta.opening import open_site
from lab.incorta.registry import registry
from lab.incorta.scheduler import scheduler
from lab.incorta.settings import NodeSettings
from lab.incorta.web import Request, Response, Route, json_response, serving

NAME = "loaderService"
QUORUM_SECONDS = 30.0


@contextmanager
def loader(_: Home, settings: NodeSettings) -> Iterator[None]:
    """Run the Loader while the block runs; entering refuses when the site's data do not belong together."""

    def show(_: Request) -> Response:
        return json_response({"service": NAME, "node": settings.node, "status": "Started"})

    with ExitStack() as parts:
        session = parts.enter_context(registry(settings.zookeeper, settings.cluster, wait_seconds=QUORUM_SECONDS))
        open_site(settings)
        for kind in ("loader", "loader_status"):
            parts.enter_context(serving(settings.ports[kind], [Route("GET", "/.*", show)]))
        parts.enter_context(scheduler(settings, session))
        yield
