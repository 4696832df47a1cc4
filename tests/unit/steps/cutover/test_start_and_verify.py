from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, Self

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover import verify as verify_module
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.start import start_analytics, start_cmc, start_loader, start_nodes
from incorta_provider.steps.cutover.verify import verify_service
from incorta_provider.steps.readiness import Part
from incorta_provider.storage.apply.actual import is_diverged
from tests.builders.group import Bench, cleared, cutover_run, done_before, frozen_plan

STARTS = {
    StepName.START_NODES: start_nodes,
    StepName.START_CMC: start_cmc,
    StepName.START_LOADER: start_loader,
    StepName.START_ANALYTICS: start_analytics,
}


def at_step(bench: Bench, step: StepName) -> CutoverRun:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    return run


@pytest.mark.parametrize(
    ("step", "started", "told"),
    [
        (
            StepName.START_NODES,
            ["newyork_node1", "newyork_node2"],
            {("newyork_node1", "start node"), ("newyork_node2", "start node")},
        ),
        (StepName.START_CMC, ["newyork_node1"], {("newyork_node1", "start cmc")}),
        (
            StepName.START_LOADER,
            ["newyork_node1", "newyork_node2"],
            {("newyork_node1", "start loaderService"), ("newyork_node2", "start loaderService")},
        ),
        (StepName.START_ANALYTICS, ["newyork_node1"], {("newyork_node1", "start analyticsService")}),
    ],
)
def test_each_step_starts_its_part_where_the_topology_has_it(
    bench: Bench, step: StepName, started: list[str], told: set[tuple[str, str]]
) -> None:
    result = STARTS[step](at_step(bench, step))
    assert result["started"] == started
    assert {(node, action) for node, action, _ in bench.nodes.calls} == told
    assert {key for _, _, key in bench.nodes.calls} == {f"manual__1 {step}"}


@pytest.mark.parametrize("step", STARTS)
def test_a_retry_finds_its_script_and_a_repetition_runs_it_anew(bench: Bench, step: StepName) -> None:
    run = at_step(bench, step)
    bench.nodes.down.add("newyork_node1")
    with pytest.raises(TransientError, match="the node cannot be reached"):
        STARTS[step](run)
    assert run.folder.result(step) is None
    bench.nodes.down.clear()
    done = STARTS[step](run)["finished_at"]
    STARTS[step](cleared(run))
    keys = [key for node, _, key in bench.nodes.calls if node == "newyork_node1"]
    assert keys == [f"manual__1 {step}", f"manual__1 {step} {done}"]


def test_the_replica_counts_as_diverged_before_the_first_start(bench: Bench) -> None:
    run = at_step(bench, StepName.START_NODES)
    bench.nodes.down.add("newyork_node1")
    assert not is_diverged(bench.catalog)
    with pytest.raises(TransientError):
        start_nodes(run)
    assert is_diverged(bench.catalog)


def test_node_agents_wait_for_zookeeper(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = at_step(bench, StepName.START_NODES)
    state = bench.ensembles.state(run.target.zookeeper)
    assert state[0].ok
    monkeypatch.setattr(
        "incorta_provider.steps.site_services.not_ready", lambda site, part: f"no quorum of {site.name} {part}"
    )
    with pytest.raises(TransientError, match="no quorum of newyork zookeeper"):
        start_nodes(run)
    assert bench.nodes.calls == []


def test_a_site_without_a_loader_passes(bench: Bench) -> None:
    config = bench.access.config.sites["newyork"]
    nodes = tuple(node.model_copy(update={"services": ("analyticsService",)}) for node in config.nodes)
    run = at_step(bench, StepName.START_LOADER)
    target = SiteAccess("newyork", config.model_copy(update={"nodes": nodes}), bench.access.connections)
    result = start_loader(CutoverRun(run.access, target, run.run_id, run.actor))
    assert result["started"] == []
    assert bench.nodes.calls == []


class Analytics:
    """An Analytics service with two schemas; the stand-in for its client.

    :cvar torn: not empty while no table can be asked; a load mends that.
    """

    torn: ClassVar[list[str]] = []
    loaded: ClassVar[list[str]] = []
    states: ClassVar[dict[str, list[str]]] = {}

    @classmethod
    def from_connection(cls, info: ConnectionInfo, tenant: str) -> Self:
        assert (info.conn_id, tenant) == ("newyork_analytics", "acme")
        return cls()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def schemas(self) -> list[str]:
        return ["SALES", "HR"]

    def schema_status(self, name: str) -> str:
        self.states[name] = self.states.get(name, [])
        return self.states[name].pop(0) if self.states[name] else {"SALES": "Success", "HR": "Never loaded"}[name]

    def row_count(self, schema: str, table: str) -> int:
        if self.torn:
            raise TransientError(f"table {schema}.{table}: snapshot torn")
        return 7

    def load_from_staging(self, name: str) -> None:
        self.loaded.append(name)
        self.torn.clear()
        self.states[name] = ["In Progress", "Succeeded"]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what lets parts say why they are not ready."""
    monkeypatch.setattr(verify_module, "AnalyticsClient", Analytics)
    monkeypatch.setattr(verify_module, "POLL_SECONDS", 0)
    for kept in (Analytics.torn, Analytics.loaded, Analytics.states):
        kept.clear()

    def script(**reasons: str | Exception) -> None:
        def not_ready(site: SiteAccess, part: Part) -> str | None:
            assert site.name == "newyork"
            reason = reasons.get(part)
            if isinstance(reason, Exception):
                raise reason
            return reason

        monkeypatch.setattr(verify_module, "not_ready", not_ready)

    return script


def test_a_site_that_is_ready_is_verified_with_its_schemas(bench: Bench, say: Callable[..., None]) -> None:
    say()
    result = verify_service(at_step(bench, StepName.VERIFY))
    assert result["ready"] == ["zookeeper", "nodes", "cmc", "loader", "analytics"]
    assert result["schemas"] == {"SALES": "Success", "HR": "Never loaded"}


def test_every_part_that_is_not_ready_is_told_and_the_task_is_tried_again(
    bench: Bench, say: Callable[..., None]
) -> None:
    run = at_step(bench, StepName.VERIFY)
    say(cmc="1 of 2 nodes", loader="Failed: torn snapshot")
    with pytest.raises(TransientError, match=r"not every part is ready: cmc: 1 of 2 nodes; loader: Failed: torn"):
        verify_service(run)
    assert StepName.VERIFY not in run.folder.done()
    say()
    assert verify_service(run)["seconds"] >= 0


def test_what_waiting_cannot_cure_is_not_waited_for(bench: Bench, say: Callable[..., None]) -> None:
    say(analytics=ConfigurationError("the login is refused"))
    with pytest.raises(ConfigurationError, match="the login is refused"):
        verify_service(at_step(bench, StepName.VERIFY))


def asking(bench: Bench, **analytics: Any) -> CutoverRun:
    """Return a cutover to a site whose tables are asked before it counts as verified."""
    run = at_step(bench, StepName.VERIFY)
    config = run.target.config
    changed = config.model_copy(update={"analytics": config.analytics.model_copy(update=analytics)})
    return CutoverRun(run.access, SiteAccess("newyork", changed, bench.access.connections), run.run_id, run.actor)


def test_named_tables_must_answer_a_query(bench: Bench, say: Callable[..., None]) -> None:
    say()
    run = asking(bench, tables=("SALES.ORDERS",))
    Analytics.torn.append("SALES")
    with pytest.raises(TransientError, match=r"table SALES\.ORDERS: snapshot torn"):
        verify_service(run)
    assert Analytics.loaded == []
    Analytics.torn.clear()
    assert verify_service(run)["rows"] == {"SALES.ORDERS": 7}


def test_where_it_is_allowed_a_schema_that_does_not_answer_is_loaded_from_staging_once(
    bench: Bench, say: Callable[..., None]
) -> None:
    say()
    Analytics.torn.append("SALES")
    result = verify_service(asking(bench, tables=("SALES.ORDERS",), load_from_staging=True))
    assert result["rows"] == {"SALES.ORDERS": 7}
    assert Analytics.loaded == ["SALES"]
    assert Analytics.states["SALES"] == []
