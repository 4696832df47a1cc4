from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.api_fastapi.app import create_auth_manager, purge_cached_app
from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI
from fastapi.testclient import TestClient

from incorta_provider.dr.epoch import RoleState
from incorta_provider.operators.links import PAGE, CutoverReportLink, RecoveryPointLink
from incorta_provider.plugin.app import PREFIX, make_app
from incorta_provider.plugin.recovery_points import IncortaDrPlugin
from incorta_provider.steps.access import utc_now
from incorta_provider.steps.pin import pin
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.breaker_file import BreakerFile, Held
from tests.builders.group import (
    PASSWORD,
    Bench,
    cutover_run,
    frozen_plan,
    promoting,
    sealed_point,
    topology_document,
    write_topology,
)

EVIL = "<script>alert(1)</script>"


def mounted() -> FastAPI:
    """Return the application as Airflow mounts it."""
    parent = FastAPI()
    parent.mount(PREFIX, make_app())
    return parent


@pytest.fixture
def anonymous(bench: Bench) -> TestClient:
    return TestClient(mounted())


@pytest.fixture
def client(bench: Bench) -> TestClient:
    """Return somebody who is logged in."""
    app = make_app()
    app.dependency_overrides[get_user] = lambda: SimpleNamespace(name="hana")
    parent = FastAPI()
    parent.mount(PREFIX, app)
    return TestClient(parent, raise_server_exceptions=False)


def reported(bench: Bench, run_id: str = "manual__1", **changes: Any) -> dict[str, Any]:
    """Leave the report of a cutover, and some lines of it in the ledger."""
    run = cutover_run(bench, run_id)
    times = {"requested_at": "2026-11-25T12:00:00+00:00", "approved_at": "2026-11-25T12:00:30+00:00"}
    report = {
        "group": "acme",
        "run_id": run_id,
        "mode": "unplanned",
        "source": "berlin",
        "target": "newyork",
        "recovery_point": "20261125T115800Z-55d41569",
        "rpo_objective_seconds": 300.0,
        "rto_objective_seconds": 90.0,
        "plan_sha256": "ab" * 32,
        "requested_by": "hana",
        "reason": "the data centre is on fire",
        **times,
        "approved_by": "omar",
        "verified_at": "2026-11-25T12:02:30+00:00",
        "rpo_seconds": 60.0,
        "rpo_met": True,
        "rto_seconds": 120.0,
        "rto_met": False,
        "steps": [
            {"name": "fence", "site": "berlin", "seconds": 12.0, "done_after_seconds": 12.0},
            {"name": "verify_service", "site": "newyork", "seconds": 30.0, "done_after_seconds": 120.0},
        ],
        "storage": {"equal": True, "files": 7, "bytes": 4096},
        "metadata": {"equal": True, "tables": 2, "rows": 3},
        "unfenced": True,
        "fence": {"epoch": 2, "stopped": [], "not_reached": {"epoch registry": "no quorum"}},
        "service": {"ready": [], "schemas": {}},
        **changes,
    }
    frozen_plan(bench, run)
    run.folder.save_report(report)
    run.note("cutover.step.done", "fence:done", {"step": "fence"})
    run.note("cutover.done", "done", {}, actor="omar")
    return report


def text_of(html: str) -> str:
    """Return what a person reads, on one line."""
    body = html.partition("<body>")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


class TestGuard:
    @pytest.fixture(autouse=True)
    def auth_manager(self) -> Iterator[None]:
        """Let Airflow's own auth manager judge, as it does in the API server."""
        create_auth_manager()
        yield
        purge_cached_app()

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/groups/acme/sites/newyork/points/20261125T115800Z-55d41569",
            "/groups/acme/sites/newyork/cutovers/manual__1",
            "/groups/acme/sites/newyork/cutovers/a/b/c",
            "/groups/acme/sites/newyork/reports/manual__1",
            "/runs/manual__1",
            "/groups/acne/sites/nowhere/points/none",
        ],
    )
    def test_nobody_gets_in_without_a_login(self, bench: Bench, anonymous: TestClient, path: str) -> None:
        point = sealed_point(bench.catalog)
        reported(bench)
        answer = anonymous.get(PREFIX + path)
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Not authenticated"}
        assert point.id not in answer.text

    @pytest.mark.parametrize("headers", [{"Authorization": "Bearer forged"}, {"Cookie": "_token=forged"}])
    def test_a_forged_login_is_none(self, anonymous: TestClient, headers: dict[str, str]) -> None:
        assert anonymous.get(f"{PREFIX}/", headers=headers).status_code == 403

    def test_every_route_carries_the_guard(self) -> None:
        """Also those that somebody adds later: nothing else is served, no documentation and no schema."""
        routes: list[Any] = list(make_app().routes)
        assert sorted(route.path for route in routes) == [
            "/",
            "/groups/{group}/sites/{site}/cutovers/{run_id:path}",
            "/groups/{group}/sites/{site}/points/{point}",
            "/groups/{group}/sites/{site}/reports/{run_id:path}",
            "/runs/{run_id:path}",
        ]
        for route in routes:
            (guard,) = route.dependencies
            assert guard.dependency.__qualname__.startswith("requires_authenticated")
            assert route.methods == {"GET"}


class TestOverview:
    def test_a_site_without_a_point(self, client: TestClient) -> None:
        answer = client.get(f"{PREFIX}/")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert text_of(answer.text) == (
            "Incorta DR Protection group acme "
            "Recovery points at berlin active site None. Recovery points at newyork None."
        )

    def test_the_registry_that_is_furthest_ahead_tells_the_active_site(self, bench: Bench, client: TestClient) -> None:
        role = promoting(bench)
        for told, state in (("being promoted", role.state), ("active site", RoleState.STEADY)):
            bench.ensembles.set_role("newyork", role.model_copy(update={"state": state}))
            page = text_of(client.get(f"{PREFIX}/").text)
            assert f"Recovery points at berlin None. Recovery points at newyork {told} None." in page
            bench.ensembles.set_role("berlin", role)  # was told of the fence, and not of the promotion

    @pytest.mark.parametrize("missing", ["quorum", "connection"])
    def test_points_are_shown_when_no_registry_can_be_asked(
        self, bench: Bench, client: TestClient, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        point = sealed_point(bench.catalog)
        if missing == "quorum":
            bench.ensembles.down.update({"berlin_zookeeper", "newyork_zookeeper"})
        else:
            monkeypatch.delenv("AIRFLOW_CONN_BERLIN_ZOOKEEPER")
        page = text_of(client.get(f"{PREFIX}/").text)
        assert point.id in page
        assert "active site" not in page

    def test_points_are_listed_newest_first_and_lead_to_their_pages(self, bench: Bench, client: TestClient) -> None:
        now = utc_now()
        points = [
            sealed_point(bench.catalog, f"scheduled__{number}", opened_at=now - timedelta(hours=25 - number))
            for number in range(25)
        ]
        bench.catalog.set_live(points[23].id)
        page = client.get(f"{PREFIX}/").text
        shown = re.findall(r"<code>(.*?)</code>", page)
        assert shown == [point.id for point in reversed(points)][:20]
        assert "25 in all" in text_of(page)
        assert f"{points[23].id} live" in text_of(page)
        links = re.findall(r'href="(.*?)"', page)
        assert len(links) == 20
        for link, point in zip(links, shown, strict=True):
            answer = client.get(unescape(link))
            assert answer.status_code == 200
            assert point in text_of(answer.text)

    @pytest.mark.parametrize(("age", "verdict"), [(200, "good"), (400, "bad")])
    def test_the_age_of_the_newest_is_judged_by_the_objective(
        self, bench: Bench, client: TestClient, age: int, verdict: str
    ) -> None:
        sealed_point(bench.catalog, opened_at=utc_now() - timedelta(seconds=age))
        page = client.get(f"{PREFIX}/").text
        found = re.search(r'<span class="(good|bad)">(\d+) s</span>', page)
        assert found is not None
        assert found[1] == verdict
        assert age <= int(found[2]) < age + 60
        assert "(objective 300 s)" in page

    def test_pins_damage_and_the_breaker_are_shown_and_hide_no_point(self, bench: Bench, client: TestClient) -> None:
        now = utc_now()
        points = [
            sealed_point(bench.catalog, f"scheduled__{number}", opened_at=now - timedelta(hours=5 - number))
            for number in range(3)
        ]
        (bench.catalog.point_dir(points[2].id) / "point.json").write_text("{")
        pin(bench.access, bench.access.site("newyork"), points[0].id, reason=EVIL, by="hana")
        held = Held(run_id="r9", at=now, reasons=(f"160 files {EVIL}",), counts=None, pinned=points[1].id)
        BreakerFile(bench.catalog).hold(held)
        answer = client.get(f"{PREFIX}/")
        assert answer.status_code == 200
        assert EVIL not in answer.text
        page = text_of(answer.text)
        assert "2 in all" in page
        assert f"{points[0].id} pinned" in page
        assert f"{points[1].id} pinned" not in page
        assert f"damaged point {points[2].id}: the record of a recovery point is damaged" in page
        assert "change breaker: holds run r9 since" in page
        assert f"160 files {EVIL}" in page

    def test_a_topology_that_is_wrong_is_told(self, bench: Bench, client: TestClient) -> None:
        path = write_topology(bench.root)
        path.write_text(path.read_text().replace("primary: berlin", f"primary: '{EVIL}'"))
        answer = client.get(f"{PREFIX}/")
        assert answer.status_code == 200
        assert "primary" in text_of(answer.text)
        assert EVIL not in answer.text

    def test_a_setting_that_is_missing_is_told(
        self, bench: Bench, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW__INCORTA_DR__TOPOLOGY")
        assert "the path of the topology is not set" in text_of(client.get(f"{PREFIX}/").text)

    @pytest.mark.parametrize("damage", ["no JSON", "a folder", "elsewhere"])
    def test_one_group_that_is_damaged_does_not_hide_the_others(
        self, bench: Bench, client: TestClient, damage: str
    ) -> None:
        document = topology_document(bench.root)
        other = topology_document(bench.root / "other")["groups"]["acme"]
        for site in other["sites"].values():
            site["metadata"]["schema"] = "other"
        document["groups"] = {"other": other, "acme": document["groups"]["acme"]}
        live = bench.root / "other" / "newyork" / "catalog" / "live.json"
        for name in other["sites"]:
            folder = bench.root / "other" / name / "catalog"
            folder.parent.mkdir(parents=True)
            Catalog(folder).initialise("other", name)
        if damage == "elsewhere":
            other["sites"]["newyork"]["catalog"] = "file://elsewhere/catalog"
        elif damage == "a folder":
            live.mkdir()
        else:
            live.write_text("{")
        write_topology(bench.root, document)
        point = sealed_point(bench.catalog)
        answer = client.get(f"{PREFIX}/")
        assert answer.status_code == 200
        assert point.id in answer.text
        reason = {
            "no JSON": "the file is not valid JSON",
            "a folder": "Is a directory",
            "elsewhere": "file:// names a host, 'elsewhere'",
        }
        assert reason[damage] in text_of(answer.text)


class TestRun:
    def test_a_run_that_made_a_point_leads_to_it(self, bench: Bench, client: TestClient) -> None:
        point = sealed_point(bench.catalog, "scheduled__1")
        ledger = bench.access.site("newyork").ledger
        for run_id in ("scheduled__1", "scheduled__2"):
            ledger.append(
                f"by.{run_id}", at=bench.clock.now, key=run_id, group="acme", run_id=run_id, actor="dag", details={}
            )
        html = client.get(f"{PREFIX}/runs/scheduled__1").text
        assert text_of(html).startswith(f"Run scheduled__1 acme at newyork {point.summary()} Ledger")
        assert "by.scheduled__2" not in html
        (link,) = re.findall(r'href="(.*?)"', html)
        assert point.summary() in text_of(client.get(unescape(link)).text)

    @pytest.mark.parametrize("run_id", ["manual__1", "manual__2026-11-25T12:00:00.1+00:00"])
    def test_a_cutover_leads_to_its_report(self, bench: Bench, client: TestClient, run_id: str) -> None:
        reported(bench, run_id)
        html = client.get(f"{PREFIX}/runs/{run_id}").text
        assert "Report of the cutover to newyork : promoted, RPO 60.0 s, RTO 120.0 s." in text_of(html)
        (link,) = re.findall(r'href="(.*?)"', html)
        assert "the data centre is on fire" in text_of(client.get(unescape(link)).text)

    def test_a_run_that_failed_shows_its_lines(self, bench: Bench, client: TestClient) -> None:
        cutover_run(bench).note("cutover.step.failed", "1", {"step": "fence"})
        page = text_of(client.get(f"{PREFIX}/runs/manual__1").text)
        assert page.endswith("1 2026-11-25 12:00:00 cutover.step.failed hana fence")
        assert "Report" not in page

    def test_a_run_of_something_else_is_told_so(self, bench: Bench, client: TestClient) -> None:
        answer = client.get(f"{PREFIX}/runs/{EVIL}")
        assert answer.status_code == 200
        assert EVIL not in answer.text
        assert "This run wrote nothing to a catalog" in text_of(answer.text)

    def test_damage_is_not_taken_for_nothing(self, bench: Bench, client: TestClient) -> None:
        (bench.catalog.root / "ledger.jsonl").write_text("no entry\n")
        page = text_of(client.get(f"{PREFIX}/runs/manual__1").text)
        assert "Protection group acme: a line of the ledger is not an entry" in page
        assert "wrote nothing" not in page


class TestPoint:
    def test_a_pin_is_shown_with_its_reason(self, bench: Bench, client: TestClient) -> None:
        point = sealed_point(bench.catalog)
        path = f"{PREFIX}/groups/acme/sites/newyork/points/{point.id}"
        assert "Pinned by" not in client.get(path).text
        pin(bench.access, bench.access.site("newyork"), point.id, reason=f"audit {EVIL}", by="hana")
        page = client.get(path).text
        assert EVIL not in page
        assert f"Pinned by hana at 2026-11-25 12:00:00 UTC: audit {EVIL}" in text_of(page)

    def test_it_shows_every_fact_and_the_lines_of_its_own_run(self, bench: Bench, client: TestClient) -> None:
        point = sealed_point(bench.catalog, exceptions=("a.parquet: was still being written, left out",))
        bench.catalog.set_live(point.id)
        ledger = bench.access.site("newyork").ledger
        for run_id, event in (("scheduled__1", "point.sealed"), ("scheduled__2", "point.void")):
            ledger.append(event, at=bench.clock.now, key=run_id, group="acme", run_id=run_id, actor="dag", details={})
        page = text_of(client.get(f"{PREFIX}/groups/acme/sites/newyork/points/{point.id}").text)
        assert page.startswith(f"Recovery point {point.id} {point.summary()} live ")
        for name, value in point.model_dump(mode="json", exclude={"exceptions", "previous"}).items():
            assert f"{name} {value}" in page
        assert "Exceptions a.parquet: was still being written, left out" in page
        assert "1 2026-11-25 12:00:00 point.sealed dag" in page
        assert "point.void" not in page

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("acme/sites/newyork/points/20200101T000000Z-00000000", "there is no recovery point yet"),
            ("acme/sites/newyork/points/.hidden", "there is no recovery point yet"),
            ("acme/sites/tokyo/points/p1", "group acme has no site 'tokyo', only berlin, newyork"),
            ("acne/sites/newyork/points/p1", "there is no protection group 'acne', only acme"),
        ],
    )
    def test_what_is_not_there_is_told(self, client: TestClient, path: str, reason: str) -> None:
        answer = client.get(f"{PREFIX}/groups/{path}")
        assert answer.status_code == 404
        assert reason in answer.json()["detail"]

    def test_an_unknown_point_among_others_is_told(self, bench: Bench, client: TestClient) -> None:
        sealed_point(bench.catalog)
        answer = client.get(f"{PREFIX}/groups/acme/sites/newyork/points/20200101T000000Z-00000000")
        assert answer.status_code == 404
        assert "there is no recovery point '20200101T000000Z-00000000'" in answer.json()["detail"]

    def test_a_damaged_point_is_not_told_to_be_absent(self, bench: Bench, client: TestClient) -> None:
        point = sealed_point(bench.catalog)
        (bench.catalog.point_dir(point.id) / "point.json").write_text("{}")
        answer = client.get(f"{PREFIX}/groups/acme/sites/newyork/points/{point.id}")
        assert answer.status_code == 500
        assert "the record of a recovery point is damaged" in answer.json()["detail"]

    @pytest.mark.parametrize("name", ["..%2F..%2Fetc", "%2e%2e", "%00", "a%0Ab"])
    def test_a_name_never_leads_out_of_the_catalog(self, bench: Bench, client: TestClient, name: str) -> None:
        sealed_point(bench.catalog)
        assert client.get(f"{PREFIX}/groups/acme/sites/newyork/points/{name}").status_code == 404

    def test_hostile_text_is_shown_as_text(self, bench: Bench, client: TestClient) -> None:
        point = sealed_point(bench.catalog, exceptions=(EVIL,), position=EVIL, run_id=EVIL)
        ledger = bench.access.site("newyork").ledger
        ledger.append(EVIL, at=bench.clock.now, key="1", group="acme", run_id=EVIL, actor=EVIL, details={"step": EVIL})
        page = client.get(f"{PREFIX}/groups/acme/sites/newyork/points/{point.id}").text
        assert EVIL not in page
        assert text_of(page).count(EVIL) == 6


class TestCutover:
    PAGE = f"{PREFIX}/groups/acme/sites/newyork/cutovers/manual__1"

    def test_the_report_is_told_with_its_lines(self, bench: Bench, client: TestClient) -> None:
        reported(bench)
        page = text_of(client.get(self.PAGE).text)
        assert page.startswith("Cutover of acme to newyork unplanned cutover: berlin → newyork, run manual__1 ")
        for told in (
            "Outcome promoted not every part of berlin is proven stopped; keep it shut off",
            "RPO 1:00 min (60 s) to the fence, objective 5:00 min (300 s)",
            "RTO 2:00 min (120 s) from approval to verified service, objective 1:30 min (90 s)",
            "Requested 2026-11-25 12:00:00 UTC by hana: the data centre is on fire",
            "Approved 2026-11-25 12:00:30 UTC by omar",
            "Files compared equal : 7 files, 4.1 kB, every digest",
            "Metadata compared equal : 2 tables, 3 rows, every checksum",
            "fence berlin 12.0 - 12.0",
            "verify_service newyork 30.0 - 120.0",
            "1 2026-11-25 12:00:00 cutover.step.done hana fence",
            "2 2026-11-25 12:00:00 cutover.done omar",
        ):
            assert told in page

    def test_it_is_there_as_json_too(self, bench: Bench, client: TestClient) -> None:
        report = reported(bench, "a/b?c")
        html = client.get(f"{PREFIX}/groups/acme/sites/newyork/cutovers/a%2Fb%3Fc").text
        document = client.get(unescape(re.findall(r'href="(.*?)"', html)[-1])).json()
        assert document["run_id"] == "a/b?c"
        assert {name: document[name] for name in ("reason", "rpo_seconds", "rto_met", "unfenced")} == {
            name: report[name] for name in ("reason", "rpo_seconds", "rto_met", "unfenced")
        }

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"unfenced": False}, "Outcome promoted berlin is fenced, epoch 2"),
            ({"rpo_met": None}, "RPO 1:00 min (60 s) to the fence; what berlin did since is not known"),
            ({"storage": {"equal": False, "files": 7, "bytes": 1}}, "Files compared not proven equal"),
            ({"metadata": {"equal": None, "tables": 2, "rows": 3}}, "Metadata compared not proven equal"),
            ({"service": {}}, "Service not verified"),
        ],
    )
    def test_only_what_was_shown_is_claimed(
        self, bench: Bench, client: TestClient, changes: dict[str, Any], told: str
    ) -> None:
        reported(bench, **changes)
        assert told in text_of(client.get(self.PAGE).text)

    def test_one_that_is_under_way_is_shown_as_it_is_by_now(self, bench: Bench, client: TestClient) -> None:
        frozen_plan(bench, cutover_run(bench))
        page = text_of(client.get(self.PAGE).text)
        assert "Outcome under way nothing was fenced" in page
        assert "RPO - known once the source is fenced RTO - known once the service is verified" in page
        assert "Timeline No step is done." in page

    def test_a_cutover_that_nobody_knows_is_told(self, client: TestClient) -> None:
        answer = client.get(f"{PREFIX}/groups/acme/sites/newyork/cutovers/manual__2")
        assert answer.status_code == 404
        assert "no plan was frozen for run manual__2" in answer.json()["detail"]

    def test_hostile_text_is_shown_as_text(self, bench: Bench, client: TestClient) -> None:
        fields = ("reason", "requested_by", "approved_by", "source", "mode", "recovery_point")
        steps = [{"name": EVIL, "site": EVIL, "seconds": 1.0, "done_after_seconds": 2.0}]
        tries = [{"step": EVIL, "after_seconds": 1.0, "reason": EVIL}]
        reported(bench, **dict.fromkeys(fields, EVIL), steps=steps, failed_tries=tries, exceptions=[EVIL])
        page = client.get(self.PAGE).text
        assert EVIL not in page
        for place in (*fields, "a step, its site", "a try, its reason", "an exception"):
            assert EVIL in text_of(page), place
        assert "<script" not in page
        assert "javascript:" not in page

    def test_an_error_text_is_no_page(self, client: TestClient) -> None:
        answer = client.get(f"{PREFIX}/groups/acme/sites/newyork/cutovers/{EVIL}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("run_id", ["manual__1", "manual__2026-11-25T12:00:00.1+00:00", "../a?b#c <d>", "a/b//c"])
def test_a_task_s_link_leads_to_the_page(
    bench: Bench, client: TestClient, monkeypatch: pytest.MonkeyPatch, run_id: str
) -> None:
    point = sealed_point(bench.catalog)
    reported(bench, run_id)
    places = {"group": "acme", "site": "newyork", "run_id": run_id, "report": "somewhere", "recovery_point": point.id}
    xcom = SimpleNamespace(get_value=lambda **_: places)
    monkeypatch.setattr("incorta_provider.operators.links.XCom", xcom)
    task: Any = SimpleNamespace()
    for link, told in (
        (CutoverReportLink(), "the data centre is on fire"),
        (RecoveryPointLink(), point.summary()),
    ):
        answer = client.get(link.get_link(task, ti_key=task))
        assert answer.status_code == 200
        assert told in text_of(answer.text)


def test_the_plugin_is_mounted_where_links_and_menu_lead() -> None:
    assert PAGE == PREFIX
    (app,) = IncortaDrPlugin.fastapi_apps
    assert app["url_prefix"] == PREFIX
    overview, run = IncortaDrPlugin.external_views
    assert (overview["destination"], overview["href"]) == ("nav", f"{PREFIX}/")
    assert (run["destination"], run["href"]) == ("dag_run", f"{PREFIX}/runs/{{RUN_ID}}")


def test_no_page_shows_a_secret(bench: Bench, client: TestClient) -> None:
    point = sealed_point(bench.catalog)
    reported(bench)
    pages = ("points/" + point.id, "cutovers/manual__1")
    for path in ("/", "/runs/manual__1", *(f"/groups/acme/sites/newyork/{page}" for page in pages)):
        answer = client.get(PREFIX + path)
        assert answer.status_code == 200
        assert PASSWORD not in answer.text
