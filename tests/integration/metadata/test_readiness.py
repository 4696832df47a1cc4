"""The readiness of two real servers: each thing that is set apart is named, with a fix that mends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.inventory import definers, invokers
from incorta_provider.dr.metadata_rules import MetadataRules
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.readiness.finding import Finding, blockers
from incorta_provider.metadata.readiness.from_inventory import schema_of
from incorta_provider.metadata.readiness.pair import pair_findings, restore_findings
from incorta_provider.metadata.readiness.reader import ask_server
from incorta_provider.metadata.readiness.schema_reader import ask_schema
from incorta_provider.metadata.restore import replace_schema
from incorta_provider.metadata.tls import Mode, Tls

pytestmark = pytest.mark.lab

NOW = datetime(2026, 11, 28, tzinfo=UTC)
USUAL = {("note", "time_zone"), ("note", "free disk")}
"""What is always told of the lab: its sites lie in different time zones, and its servers do not tell their disks."""


def judged(primary: Any, dr: Any) -> list[Finding]:
    return pair_findings(primary.endpoint, dr.endpoint, NOW)


def told(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.severity.value, finding.subject) for finding in findings} - USUAL


@contextmanager
def globally(place: Any, **values: object) -> Iterator[None]:
    """Set global variables of a server as long as the block lasts."""
    names = ", ".join(f"@@GLOBAL.{name}" for name in values)
    before = place.run(f"SELECT {names}")[0]

    def set_to(chosen: Mapping[str, object]) -> None:
        with place.server.connect() as connection, connection.cursor() as cursor:
            for name, value in chosen.items():
                cursor.execute(f"SET GLOBAL {name} = %s", (value,))

    set_to(values)
    try:
        yield
    finally:
        set_to(dict(zip(values, before, strict=True)))


def test_a_pair_in_order_has_nothing_but_notes(nasty: Any, dr: Any) -> None:
    found = judged(nasty, dr)
    assert told(found) == set()
    zone, disk = found
    assert (zone.site, zone.reason.split(":")[0]) == ("newyork", "'+01")
    assert "a proof and a restore take up to" in disk.reason
    assert str(dr.server.site.mariadb / "data") in disk.reason


@pytest.mark.parametrize(
    ("values", "expected", "fix"),
    [
        ({"sql_mode": "NO_ZERO_DATE"}, ("warning", "sql_mode"), "Set sql_mode to 'STRICT_TRANS_TABLES,"),
        ({"read_only": 1}, ("blocker", "read_only"), "SET GLOBAL read_only = OFF"),
        (
            {"log_bin_trust_function_creators": 0},
            ("blocker", "log_bin_trust_function_creators"),
            "SET GLOBAL log_bin_trust_function_creators = ON",
        ),
        (
            {"innodb_force_primary_key": 1},
            ("blocker", "innodb_force_primary_key"),
            "SET GLOBAL innodb_force_primary_key",
        ),
        ({"event_scheduler": "OFF"}, ("warning", "event_scheduler"), "Set event_scheduler = ON"),
        ({"gtid_strict_mode": 1}, ("note", "gtid_strict_mode"), ""),
        ({"max_allowed_packet": 1 << 25}, ("warning", "max_allowed_packet"), "Set max_allowed_packet = 67108864"),
    ],
)
def test_each_setting_that_differs_is_named_with_its_fix(
    values: dict[str, object], expected: tuple[str, str], fix: str, nasty: Any, dr: Any
) -> None:
    with globally(dr, **values):
        found = judged(nasty, dr)
    assert told(found) == {expected}
    (finding,) = (each for each in found if (each.severity, each.subject) == expected)
    assert (finding.site, finding.fix.startswith(fix)) == ("newyork", True)
    assert told(judged(nasty, dr)) == set()


def test_a_proof_may_write_to_a_server_that_is_read_only_for_others(nasty: Any, dr: Any) -> None:
    dr.run("GRANT READ_ONLY ADMIN ON *.* TO 'dr_reader'@'127.0.0.1'")
    with globally(dr, read_only=1):
        assert told(judged(nasty, dr)) == {("warning", "read_only")}


def test_what_no_snapshot_covers_is_named_at_the_source(primary: Any, dr: Any) -> None:
    primary.run(
        "CREATE TABLE old (a INT PRIMARY KEY) ENGINE = MyISAM",
        "CREATE SEQUENCE numbers",
        "CREATE TABLE history (a INT PRIMARY KEY) WITH SYSTEM VERSIONING",
    )
    reasons = [finding.reason for finding in blockers(judged(primary, dr))]
    assert reasons == [
        "no consistent snapshot can be made of table `numbers`: sequence",
        "no consistent snapshot can be made of table `old`: storage engine MyISAM",
        "no consistent snapshot can be made of table `history`: system versioned",
    ]


def test_a_definer_that_exists_only_at_the_source_is_named_with_its_objects(nasty: Any, dr: Any) -> None:
    nasty.run(
        "CREATE OR REPLACE DEFINER = 'gone'@'%' VIEW b_first AS SELECT id, 'x' AS loud FROM parent",
        "CREATE DEFINER = 'gone'@'%' PROCEDURE left_over() SELECT 1",
    )
    (finding,) = blockers(judged(nasty, dr))
    assert finding.subject == "definers"
    assert finding.reason == (
        "there is no account 'gone'@'%', the definer of view `b_first`, procedure `left_over`: "
        "each would fail when it is used"
    )
    dr.run(finding.fix.split(",")[0])
    try:
        assert blockers(judged(nasty, dr)) == []
    finally:
        dr.run("DROP USER 'gone'@'%'")


def test_a_row_above_the_packet_limit_is_found_by_its_real_length(primary: Any, dr: Any) -> None:
    primary.run(
        "CREATE TABLE big (id INT PRIMARY KEY, body LONGBLOB, note LONGTEXT CHARACTER SET latin1)",
        "INSERT INTO big VALUES (1, REPEAT('x', 9000000), REPEAT(CHAR(128 USING latin1), 1000000)), (2, NULL, NULL)",
    )
    with globally(dr, max_allowed_packet=1 << 24):
        found = [each for each in blockers(judged(primary, dr)) if each.subject == "max_allowed_packet"]
    longest = 2 * (9_000_000 + 3_000_000) + (1 << 18)
    assert [each.reason for each in found] == [
        f"a row of table `big` takes up to {longest:,} bytes as SQL text, and max_allowed_packet is 16,777,216"
    ]
    assert found[0].fix.startswith(f"SET GLOBAL max_allowed_packet = {1 << 25},")
    assert blockers(judged(primary, dr)) == []


def test_a_server_that_has_not_loaded_a_time_zone_does_not_pass_for_one_that_has(dr: Any) -> None:
    """The lab's servers have no tables of time zones."""
    assert ask_server(dr.endpoint, ["Europe/Berlin", "+02:00"]).server.zones == {"+02:00"}


def test_rights_of_both_accounts_are_named_one_by_one(nasty: Any, dr: Any) -> None:
    account = "'dr_reader'@'127.0.0.1'"
    schema = dr.endpoint.schema.replace("_", r"\_")
    dr.run(f"REVOKE DROP, CREATE VIEW ON `{schema}`.* FROM {account}")
    nasty.run(f"REVOKE PROCESS ON *.* FROM {account}")
    found = judged(nasty, dr)
    assert [(each.site, each.fix) for each in found] == [
        ("berlin", f"GRANT PROCESS ON *.* TO {account}"),
        ("newyork", f"GRANT DROP ON `{schema}`.* TO {account}"),
        ("newyork", f"GRANT CREATE VIEW ON `{schema}`.* TO {account}"),
    ]
    for each in found:
        (nasty if each.site == "berlin" else dr).run(each.fix)
    assert told(judged(nasty, dr)) == set()


def test_what_is_unsafe_on_the_way_is_told(nasty: Any, dr: Any) -> None:
    files = dr.server.certificates
    encrypted = dataclasses.replace(dr.endpoint, tls=Tls(Mode.REQUIRED))
    found = pair_findings(nasty.endpoint, encrypted, NOW)
    assert [(each.site, each.reason) for each in found if each.subject == "TLS"] == [
        ("newyork", "nothing proves that the server is the one that is meant")
    ]
    checked = dataclasses.replace(dr.endpoint, tls=Tls(Mode.VERIFY_IDENTITY, str(files.ca)))
    assert told(pair_findings(nasty.endpoint, checked, NOW)) == set()
    ends = ask_server(checked).server.certificate_ends
    assert ends is not None
    late = [each.reason for each in pair_findings(nasty.endpoint, checked, ends) if each.subject == "TLS"]
    assert late == [f"the server's certificate has ended on {ends:%Y-%m-%d %H:%M} UTC"]


def test_client_programs_that_are_missing_are_named(
    nasty: Any, dr: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [each.reason for each in blockers(judged(nasty, dr))] == [
        "mariadb-dump or mysqldump is not installed",
        "mariadb or mysql is not installed",
    ]


def test_the_inventory_tells_of_the_schema_what_the_server_does(dumped: Any, nasty: Any) -> None:
    """A cutover judges by the inventory, because the source is gone: both must see the same."""
    live, recorded = ask_schema(nasty.endpoint), schema_of(dumped.inventory)
    for field in ("name", "engines", "parsers", "encrypted", "without_key", "definers", "creations", "zones"):
        assert getattr(recorded, field) == getattr(live, field), field
    assert set(recorded.folded) == set(live.folded)
    assert set(recorded.events) == set(live.events)
    assert set(recorded.character_sets) <= set(live.character_sets)
    assert set(recorded.collations) <= set(live.collations)
    assert {name.lower() for name in recorded.types} >= {"bigint", "longblob", "decimal"}


def test_a_restore_is_judged_without_the_source(dumped: Any, nasty: Any, dr: Any, folder: Path) -> None:
    (zone,) = restore_findings(dr.endpoint, dumped.inventory, NOW)
    assert (zone.severity, zone.subject) == ("note", "time_zone")
    nasty.run("CREATE OR REPLACE DEFINER = 'gone'@'%' VIEW b_first AS SELECT id, 'x' AS loud FROM parent")
    dump(nasty.endpoint, folder)
    inventory = read_inventory(folder / "inventory.json")
    with globally(dr, sql_mode="NO_ZERO_DATE", innodb_force_primary_key=1, read_only=1):
        found = restore_findings(dr.endpoint, inventory, NOW, source="berlin")
    assert told(found) == {
        ("blocker", "definers"),
        ("blocker", "innodb_force_primary_key"),
        ("blocker", "read_only"),
        ("warning", "sql_mode"),
    }


def test_a_server_without_a_collation_is_named_before_the_load(dumped: Any, dr: Any) -> None:
    inventory = dumped.inventory
    inventory = inventory.model_copy(update={"collation": "utf8mb4_0900_ai_ci"})
    (finding,) = blockers(restore_findings(dr.endpoint, inventory, NOW))
    assert finding.reason == "the DR server has no collation utf8mb4_0900_ai_ci, used by the schema itself"


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"port": 1}, TransientError), ({"password": "wrong"}, ConfigurationError), ({"schema": "no_such"}, None)],
)
def test_a_database_that_cannot_be_asked_is_an_error_and_no_finding(
    change: dict[str, Any], kind: type[Exception] | None, primary: Any, dr: Any
) -> None:
    wrong = dataclasses.replace(primary.endpoint, **change)
    if kind is None:
        found = pair_findings(wrong, dr.endpoint, NOW)
        assert {each.subject for each in blockers(found)} == {"rights"}
        return
    with pytest.raises(kind):
        pair_findings(wrong, dr.endpoint, NOW)


def test_definers_that_the_topology_replaces_need_not_exist_there(nasty: Any, dr: Any, folder: Path) -> None:
    schema = nasty.endpoint.schema.replace("_", r"\_")
    nasty.run(
        "CREATE USER 'gone'@'%'",
        f"GRANT ALL ON `{schema}`.* TO 'gone'@'%'",
        "CREATE OR REPLACE DEFINER = 'gone'@'%' VIEW b_first AS SELECT id, 'x' AS loud FROM parent",
        "CREATE DEFINER = 'gone'@'%' PROCEDURE left_over() SELECT 'DEFINER=`gone`@`%`'",
        "CREATE DEFINER = 'gone'@'%' TRIGGER left_trigger BEFORE INSERT ON no_key FOR EACH ROW SET NEW.a = NEW.a + 0",
        "CREATE DEFINER = 'gone'@'%' EVENT left_event ON SCHEDULE EVERY 1 YEAR DO SET @x = 1",
        "CREATE OR REPLACE ROLE gone_role",
        "CREATE DEFINER = gone_role VIEW of_a_role AS SELECT 1",
        "SET sql_mode = 'ANSI_QUOTES'",
        "CREATE DEFINER = 'gone'@'%' FUNCTION quoted(a INT) RETURNS INT RETURN a",
    )
    account = "dr_reader@127.0.0.1"
    try:
        found = judged(nasty, dr)
        assert {each.reason.split(",")[0] for each in blockers(found)} == {
            "there is no account 'gone'@'%'",
            "there is no account 'gone_role'",
        }
        rules = {"gone@%": account, "gone_role": account}
        assert blockers(pair_findings(nasty.endpoint, dr.endpoint, NOW, MetadataRules(definers=rules))) == []
        dump(nasty.endpoint, folder, definers=rules)
    finally:
        nasty.run("DROP ROLE gone_role", "DROP USER 'gone'@'%'")
    inventory = read_inventory(folder / "inventory.json")
    ours = {title for title, definer in definers(inventory).items() if definer == ("dr_reader", "127.0.0.1")}
    assert ours == {
        "view `b_first`",
        "view `of_a_role`",
        "procedure `left_over`",
        "function `quoted`",
        "trigger `left_trigger`",
        "event `left_event`",
    }
    assert blockers(restore_findings(dr.endpoint, inventory, NOW)) == []
    assert prove(dr.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="definers") == []


def test_what_runs_with_the_rights_of_who_uses_it_needs_no_definer_there(nasty: Any, dr: Any, folder: Path) -> None:
    schema = nasty.endpoint.schema.replace("_", r"\_")
    rules = {"gone@%": "invoker"}
    nasty.run(
        "CREATE USER 'gone'@'%'",
        f"GRANT ALL ON `{schema}`.* TO 'gone'@'%'",
        "CREATE OR REPLACE DEFINER = 'gone'@'%' VIEW b_first AS SELECT id, 'x' AS loud FROM parent",
        "CREATE DEFINER = 'gone'@'%' PROCEDURE left_over(/* ) */ a INT) COMMENT 'c' SELECT 'DEFINER=`gone`@`%`', a",
        "SET sql_mode = 'ANSI_QUOTES'",
        "CREATE DEFINER = 'gone'@'%' FUNCTION quoted(a INT) RETURNS VARCHAR(9) RETURN (SELECT 'x' AS \"b\")",
        "SET sql_mode = ''",
        "CREATE DEFINER = 'gone'@'%' FUNCTION left_too(a INT) RETURNS INT DETERMINISTIC RETURN a + 1",
        "CREATE DEFINER = 'gone'@'%' TRIGGER left_trigger BEFORE INSERT ON no_key FOR EACH ROW SET NEW.a = NEW.a + 0",
    )
    try:
        (found,) = blockers(pair_findings(nasty.endpoint, dr.endpoint, NOW, MetadataRules(definers=rules)))
        assert "no account 'gone'@'%', the definer of trigger `left_trigger`: " in found.reason
        nasty.run("DROP TRIGGER left_trigger")
        assert blockers(pair_findings(nasty.endpoint, dr.endpoint, NOW, MetadataRules(definers=rules))) == []
        report = dump(nasty.endpoint, folder, definers=rules)
    finally:
        nasty.run("DROP USER 'gone'@'%'")
    inventory = read_inventory(folder / "inventory.json")
    assert invokers(inventory) == {
        "view `b_first`",
        "procedure `left_over`",
        "function `left_too`",
        "function `quoted`",
        "view `odd view ``1`",
    }
    assert blockers(restore_findings(dr.endpoint, inventory, NOW)) == []
    arguments = (dr.endpoint, folder / "metadata.sql.zst", inventory, folder / "switch")
    assert replace_schema(*arguments, sha256=report.sha256) == []
    assert dr.run("SELECT COUNT(*) > 0, left_too(1) FROM b_first") == ((1, 2),)
    assert dr.run("SELECT quoted(1)") == (("x",),)
    assert dr.run("CALL left_over(7)") == (("DEFINER=`gone`@`%`", 7),)
