"""The rules on facts that the lab's two equal servers cannot show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.metadata.readiness.access_rules import rights_findings, tls_findings, tool_findings
from incorta_provider.metadata.readiness.facts import SchemaFacts, ServerFacts, ToolFacts
from incorta_provider.metadata.readiness.finding import Finding, Severity, blockers, some, sorted_by_severity
from incorta_provider.metadata.readiness.replica_rules import replica_findings
from incorta_provider.metadata.readiness.schema_rules import CLIENT_PACKET, schema_findings
from incorta_provider.metadata.readiness.server_rules import server_findings
from incorta_provider.metadata.rights import Grant

NOW = datetime(2026, 11, 28, tzinfo=UTC)
VARIABLES = {
    "version": "10.11.19-MariaDB-log",
    "sql_mode": "STRICT_TRANS_TABLES",
    "time_zone": "+00:00",
    "system_time_zone": "UTC",
    "lower_case_table_names": "0",
    "max_allowed_packet": "67108864",
    "log_bin": "ON",
    "log_bin_trust_function_creators": "ON",
    "event_scheduler": "ON",
    "datadir": "/var/lib/mysql/",
}
BERLIN = ServerFacts(
    site="berlin",
    version=VARIABLES["version"],
    variables=VARIABLES,
    collations=frozenset({"utf8mb4_unicode_ci", "latin1_swedish_ci"}),
    character_sets=frozenset({"utf8mb4", "latin1"}),
    engines=frozenset({"InnoDB"}),
    plugins={"innodb": "storage engine", "inet6": "data type"},
    accounts=frozenset({("incorta", "%")}),
    free_bytes=10_000,
)
NEWYORK = replace(BERLIN, site="newyork")
SCHEMA = SchemaFacts(
    name="incorta",
    collations={"utf8mb4_unicode_ci": ("the schema itself",)},
    character_sets={"utf8mb4": ("the schema itself",)},
    engines={"InnoDB": ("table `t`",)},
    types={"int": ("table `t` column `a`",), "inet6": ("table `t` column `b`",)},
    definers={"view `v`": ("incorta", "%")},
    creations=1,
    events=("event `e`",),
    bytes=4_000,
)


def told(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(each.severity.value, each.subject, each.site) for each in found]


def of_servers(source: ServerFacts, target: ServerFacts) -> list[Finding]:
    return list(server_findings(source, target))


def of_schema(schema: SchemaFacts, target: ServerFacts, source: ServerFacts = BERLIN) -> list[Finding]:
    return list(schema_findings(schema, source, target))


def with_variables(server: ServerFacts, **changed: str) -> ServerFacts:
    return replace(server, variables={**server.variables, **changed})


def of_version(server: ServerFacts, version: str) -> ServerFacts:
    return replace(server, version=version)


def test_equal_servers_with_all_that_is_needed_are_ready() -> None:
    assert (of_servers(BERLIN, NEWYORK), of_schema(SCHEMA, NEWYORK)) == ([], [])


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("8.0.40", ("blocker", "of different makes")),
        ("10.6.20-MariaDB", ("warning", "the DR server is older")),
        ("11.4.3-MariaDB", ("warning", "the DR server is newer")),
    ],
)
def test_another_release_weakens_and_another_make_blocks(version: str, expected: tuple[str, str]) -> None:
    (found,) = of_servers(BERLIN, of_version(NEWYORK, version))
    assert (found.severity.value, expected[1] in found.reason) == (expected[0], True)
    assert f"10.11.19-MariaDB-log at berlin, {version} at newyork" in found.reason


def test_another_make_is_a_note_where_the_topology_has_a_mapping() -> None:
    (found,) = server_findings(BERLIN, of_version(NEWYORK, "9.7.4"), mapped=True)
    assert (found.severity, found.subject) == (Severity.NOTE, "version")
    assert "the servers are of different makes" in found.reason
    assert told(list(server_findings(BERLIN, of_version(NEWYORK, "10.6.20-MariaDB"), mapped=True))) == [
        ("warning", "version", "newyork")
    ]


def test_a_patch_release_is_no_other_release() -> None:
    assert of_servers(BERLIN, of_version(NEWYORK, "10.11.2-MariaDB")) == []


@pytest.mark.parametrize("variable", ["read_only", "super_read_only", "innodb_read_only"])
def test_a_target_that_takes_nothing_blocks(variable: str) -> None:
    assert told(of_servers(BERLIN, with_variables(NEWYORK, **{variable: "ON"}))) == [("blocker", variable, "newyork")]


def test_a_target_that_only_we_may_write_to_is_good_for_proofs_and_not_for_incorta() -> None:
    target = replace(with_variables(NEWYORK, read_only="ON"), writes_when_read_only=True)
    (found,) = of_servers(BERLIN, target)
    assert (found.severity, found.fix) == (Severity.WARNING, "Before a cutover: SET GLOBAL read_only = OFF")
    (found,) = of_servers(BERLIN, with_variables(target, read_only="OFF", super_read_only="ON"))
    assert found.severity is Severity.BLOCKER


def test_a_source_without_a_binary_log_cannot_be_dumped() -> None:
    assert told(of_servers(with_variables(BERLIN, log_bin="OFF"), NEWYORK)) == [("blocker", "log_bin", "berlin")]


def test_the_systems_time_zone_matters_only_where_it_is_followed() -> None:
    other = with_variables(NEWYORK, system_time_zone="EST")
    assert of_servers(BERLIN, other) == []
    follows = [with_variables(server, time_zone="SYSTEM") for server in (BERLIN, other)]
    assert told(of_servers(*follows)) == [("note", "system_time_zone", "newyork")]


@pytest.mark.parametrize("variable", ["gtid_mode", "enforce_gtid_consistency", "gtid_strict_mode"])
def test_another_gtid_mode_is_no_matter_for_a_dump(variable: str) -> None:
    source, target = (
        with_variables(server, **{variable: value}) for server, value in ((BERLIN, "ON"), (NEWYORK, "OFF"))
    )
    assert told(of_servers(source, target)) == [("note", variable, "newyork")]


def test_a_plugin_that_only_the_source_has_is_a_note_unless_a_table_needs_it() -> None:
    target = replace(NEWYORK, plugins={"innodb": "storage engine"})
    assert told(of_servers(BERLIN, target)) == [("note", "plugins", "newyork")]
    (found,) = of_schema(SCHEMA, target)
    assert (found.severity, found.subject) == (Severity.BLOCKER, "data types")
    assert found.reason == "the DR server has no data type inet6, used by table `t` column `b`"


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({"collations": {"utf8mb4_0900_ai_ci": ("table `t`",)}}, "collations"),
        ({"character_sets": {"gb18030": ("table `t`",)}}, "character sets"),
        ({"engines": {"ROCKSDB": ("table `t`",)}}, "storage engines"),
        ({"parsers": {"ngram": ("table `t`",)}}, "full-text parsers"),
        ({"encrypted": ("table `t`",)}, "encryption"),
        ({"definers": {"view `v`": ("gone", "%")}}, "definers"),
        ({"zones": frozenset({"Europe/Berlin"})}, "time zones"),
        ({"bytes": 5_001}, "free disk"),
    ],
)
def test_what_the_target_lacks_blocks(changed: dict[str, object], subject: str) -> None:
    found = of_schema(replace(SCHEMA, **changed), NEWYORK)
    assert told(found) == [("blocker", subject, "newyork")]
    assert found[0].fix


def test_where_mysql_keeps_its_keys_is_not_judged() -> None:
    encrypted = replace(SCHEMA, encrypted=("table `t`",))
    assert of_schema(encrypted, of_version(NEWYORK, "9.7.4")) == []


def test_what_is_not_known_of_the_target_is_neither_good_nor_bad() -> None:
    unknown = ServerFacts(site="newyork", version=BERLIN.version, variables={})
    assert told(of_schema(replace(SCHEMA, bytes=None), unknown)) == []
    assert told(of_schema(SCHEMA, unknown)) == [("note", "free disk", "newyork")]
    assert of_servers(unknown, NEWYORK) == []


@pytest.mark.parametrize("variable", ["innodb_force_primary_key", "sql_require_primary_key"])
def test_the_rule_of_primary_keys_matters_where_a_table_has_none(variable: str) -> None:
    target = with_variables(NEWYORK, **{variable: "ON"})
    assert of_schema(SCHEMA, target) == []
    (found,) = of_schema(replace(SCHEMA, without_key=("table `log`",)), target)
    assert (found.severity, found.fix) == (Severity.BLOCKER, f"SET GLOBAL {variable} = OFF")
    assert "table `log` have none" in found.reason


@pytest.mark.parametrize(
    ("there", "here", "folded", "expected"),
    [
        ("0", "0", ("table `T`",), []),
        ("0", "1", ("table `T`",), ["blocker"]),
        ("0", "1", (), ["warning"]),
        ("1", "0", (), ["blocker"]),
        ("2", "0", (), ["blocker"]),
        ("0", "2", ("table `T`",), ["warning"]),
    ],
)
def test_a_server_that_takes_names_in_another_way(
    there: str, here: str, folded: tuple[str, ...], expected: list[str]
) -> None:
    source, target = (
        with_variables(server, lower_case_table_names=value) for server, value in ((BERLIN, there), (NEWYORK, here))
    )
    found = of_schema(replace(SCHEMA, folded=folded), target, source)
    assert [each.severity.value for each in found] == expected


def test_functions_need_trust_only_where_a_binary_log_is() -> None:
    distrusting = with_variables(NEWYORK, log_bin_trust_function_creators="OFF")
    assert told(of_schema(SCHEMA, distrusting)) == [("blocker", "log_bin_trust_function_creators", "newyork")]
    assert of_schema(replace(SCHEMA, creations=0), distrusting) == []
    assert of_schema(SCHEMA, with_variables(distrusting, log_bin="OFF")) == []


@pytest.mark.parametrize("scheduler", ["OFF", "DISABLED"])
def test_events_that_would_not_run_after_a_promotion(scheduler: str) -> None:
    target = with_variables(NEWYORK, event_scheduler=scheduler)
    assert told(of_schema(SCHEMA, target)) == [("warning", "event_scheduler", "newyork")]
    assert of_schema(replace(SCHEMA, events=()), target) == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (67_108_864, []),
        (67_108_865, [("blocker", "max_allowed_packet", "newyork")]),
        (CLIENT_PACKET + 1, [("blocker", "largest row", "berlin")]),
    ],
)
def test_the_largest_row_must_fit(size: int, expected: list[tuple[str, str, str]]) -> None:
    assert told(of_schema(replace(SCHEMA, largest_row=(size, "table `t`")), NEWYORK)) == expected


@given(st.integers(1 << 20, CLIENT_PACKET), st.integers(1 << 20, CLIENT_PACKET))
def test_the_packet_that_the_fix_sets_is_enough(size: int, limit: int) -> None:
    schema = replace(SCHEMA, largest_row=(size, "table `t`"))
    for finding in of_schema(schema, with_variables(NEWYORK, max_allowed_packet=str(limit))):
        raised = finding.fix.split("= ")[1].split(",")[0]
        assert of_schema(schema, with_variables(NEWYORK, max_allowed_packet=raised)) == []


@given(st.lists(st.sampled_from(list(Severity))))
def test_the_worst_comes_first_and_none_is_lost(severities: list[Severity]) -> None:
    found = [Finding(severity, "x", "newyork", str(number)) for number, severity in enumerate(severities)]
    ordered = sorted_by_severity(found)
    assert ordered[: len(blockers(found))] == blockers(found)
    assert sorted(ordered, key=lambda finding: int(finding.reason)) == found


@given(st.lists(st.text("ab", min_size=1), max_size=12))
def test_a_long_list_is_cut_and_counted(names: list[str]) -> None:
    shown = some(names)
    assert shown == (", ".join(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5} more")


def test_a_role_that_is_missing_is_made_as_a_role() -> None:
    (found,) = of_schema(replace(SCHEMA, definers={"view `v`": ("readers", "")}), NEWYORK)
    assert found.fix.startswith("CREATE ROLE 'readers',")


def test_a_definer_that_nobody_needs_is_needed_at_a_mysql_all_the_same() -> None:
    gone = replace(SCHEMA, definers={"view `v`": ("gone", "%")}, invokers=frozenset({"view `v`"}))
    assert of_schema(gone, NEWYORK) == []
    (found,) = of_schema(gone, replace(NEWYORK, version="9.7.4"))
    assert found.reason.startswith("there is no account 'gone'@'%', the definer of view `v`:")


class TestAccess:
    def test_each_right_is_a_finding_of_its_own(self) -> None:
        lacking = [Grant(("DROP", "CREATE VIEW"), "`incorta`.*"), Grant(("PROCESS",), "*.*")]
        found = list(rights_findings("newyork", "'i'@'%'", lacking))
        assert [each.reason for each in found] == [
            "'i'@'%' lacks DROP on `incorta`.*",
            "'i'@'%' lacks CREATE VIEW on `incorta`.*",
            "'i'@'%' lacks PROCESS on *.*",
        ]
        assert found[0].fix == "GRANT DROP ON `incorta`.* TO 'i'@'%'"

    @pytest.mark.parametrize(
        ("host", "expected"),
        [("127.0.0.1", []), ("::1", []), ("localhost", []), ("10.0.0.1", ["warning"]), ("db.example", ["warning"])],
    )
    def test_plain_text_matters_on_the_way_to_another_machine(self, host: str, expected: list[str]) -> None:
        assert [each.severity.value for each in tls_findings(NEWYORK, host, NOW)] == expected

    @pytest.mark.parametrize(
        ("left", "expected"),
        [
            (timedelta(days=31), []),
            (timedelta(days=29), ["the server's certificate ends on 2026-12-27 00:00 UTC"]),
            (timedelta(0), ["the server's certificate has ended on 2026-11-28 00:00 UTC"]),
        ],
    )
    def test_a_certificate_is_told_before_it_ends(self, left: timedelta, expected: list[str]) -> None:
        server = replace(NEWYORK, encrypted=True, verified=True, certificate_ends=NOW + left)
        assert [each.reason for each in tls_findings(server, "db.example", NOW)] == expected

    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            ("10.11.19-MariaDB", []),
            ("11.8.3-MariaDB", []),
            ("10.6.1-MariaDB", ["warning"]),
            ("10.5.28-MariaDB", ["blocker", "warning"]),
            ("9.7.4", ["blocker"]),
            ("", ["blocker"]),
        ],
    )
    def test_client_programs_must_be_of_the_servers_make_and_age(self, version: str, expected: list[str]) -> None:
        found = tool_findings([ToolFacts("mariadb-dump", version, "the MariaDB client")], [BERLIN, NEWYORK])
        assert [(each.severity.value, each.site) for each in found] == [(each, "worker") for each in expected]


class TestReplica:
    """What keeps a server from being a replica that is its source's equal."""

    APART = with_variables(NEWYORK, server_id="2", gtid_domain_id="2")
    SOURCE = with_variables(BERLIN, server_id="1", gtid_domain_id="1", binlog_format="ROW", binlog_row_image="FULL")

    def found(self, source: ServerFacts = SOURCE, target: ServerFacts = APART, **schema: object) -> list[Finding]:
        return list(replica_findings(replace(SCHEMA, **schema), source, target))  # type: ignore[arg-type]

    def test_two_servers_that_are_made_for_it_are_ready(self) -> None:
        assert self.found() == []

    @pytest.mark.parametrize(
        ("source", "target", "reason"),
        [
            ({}, {"server_id": "1"}, "both servers have the same server_id"),
            ({}, {"gtid_domain_id": "1", "gtid_strict_mode": "ON"}, "gtid_strict_mode refuses that"),
            ({"binlog_format": "MIXED"}, {}, "binlog_format is MIXED"),
            ({"binlog_row_image": "MINIMAL"}, {}, "binlog_row_image is MINIMAL"),
            ({}, {"log_bin": "OFF"}, "the binary log is off at the replica"),
        ],
    )
    def test_what_stands_in_the_way(self, source: dict[str, str], target: dict[str, str], reason: str) -> None:
        (found,) = self.found(with_variables(self.SOURCE, **source), with_variables(self.APART, **target))
        assert reason in found.reason
        assert found.severity is Severity.BLOCKER
        assert found.site == ("berlin" if source else "newyork")

    def test_what_makes_it_slow_or_short_lived_is_a_warning(self) -> None:
        kept = with_variables(self.SOURCE, binlog_expire_logs_seconds="3600")
        shared = with_variables(self.APART, gtid_domain_id="1")
        found = self.found(kept, shared, without_key=("table `t`",))
        assert {each.severity for each in found} == {Severity.WARNING}
        assert [each.reason.partition(":")[0] for each in found] == [
            "both servers count their transactions in one gtid_domain_id, and proofs write at the replica too",
            "the source keeps its binary log for 3600 s",
            "each changed row of table `t` is searched for in the whole table",
        ]

    @pytest.mark.parametrize(
        ("there", "here", "reason"),
        [
            ("9.7.4", "11.8.2-MariaDB", "of another engine"),
            ("8.0.22", "8.0.22", "it cannot be held: it is 8.0.22"),
            ("9.7.4", "8.4.9", "older than its source"),
            ("11.8.2-MariaDB", "10.11.1-MariaDB", "older than its source"),
        ],
    )
    def test_another_make_or_an_older_release_is_no_replica(self, there: str, here: str, reason: str) -> None:
        found, *_ = self.found(replace(self.SOURCE, version=there), replace(self.APART, version=here))
        assert found.severity is Severity.BLOCKER
        assert reason in found.reason

    def test_a_mysql_must_count_its_transactions_and_be_no_copy_of_the_other(self) -> None:
        source, target = (
            with_variables(
                replace(server, version="8.0.36-28"),
                gtid_mode="ON",
                enforce_gtid_consistency="ON",
                server_uuid=f"uuid of {server.site}",
            )
            for server in (self.SOURCE, self.APART)
        )
        assert self.found(source, target) == []
        copied = with_variables(target, server_uuid="uuid of berlin")
        uncounted = with_variables(source, gtid_mode="ON_PERMISSIVE", enforce_gtid_consistency="WARN")
        assert [(each.severity, each.site, each.reason) for each in self.found(uncounted, copied)] == [
            (Severity.BLOCKER, "newyork", "both servers have the same server_uuid"),
            (Severity.BLOCKER, "berlin", "gtid_mode is ON_PERMISSIVE: no position can be told"),
            (Severity.BLOCKER, "berlin", "enforce_gtid_consistency is WARN: no position can be told"),
        ]
