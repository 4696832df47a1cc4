"""Every fault of a topology's text is told with file, line and key, and no text makes the parser hang or crash."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.topology_text import MAX_DEPTH, MAX_FAULTS, parse_topology
from incorta_provider.exceptions import ConfigurationError

FREE_KEYS = {"acme", "berlin", "newyork", "tenants_path", "smtp_host"}
"""Keys of the right topology whose names are the owner's choice."""


def faults_of(text: str) -> list[str]:
    """Return the faults that the parser tells of ``text``, one line each."""
    with pytest.raises(ConfigurationError) as refused:
        parse_topology(text, "dr.yaml")
    assert refused.value.where == "dr.yaml"
    assert refused.value.fix == "Correct it and run `incorta-dr topology check`."
    title, *faults = refused.value.what.split("\n  ")
    assert title == "the topology is wrong:"
    return faults


def line_of(text: str, needle: str) -> int:
    """Return the number of the first line that holds ``needle``."""
    return text[: text.index(needle)].count("\n") + 1


def test_a_right_text_is_read(topology_text: str) -> None:
    topology = parse_topology(topology_text, "dr.yaml")
    assert list(topology.groups) == ["acme"]
    assert list(topology.groups["acme"].sites) == ["berlin", "newyork"]
    assert topology.groups["acme"].sites["newyork"].values["smtp_host"] == "mail.newyork.example"


@pytest.mark.parametrize(
    "form",
    [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text, lambda text: "---\n" + text + "...\n"],
)
def test_line_ends_marks_and_document_signs_change_nothing(topology_text: str, form: object) -> None:
    assert callable(form)
    assert parse_topology(form(topology_text), "x") == parse_topology(topology_text, "x")


@pytest.mark.parametrize(
    ("old", "new", "line_with", "told"),
    [
        ("primary: berlin", "primary: paris", "  acme:", "groups.acme: primary 'paris' is not one of the sites"),
        ("primary: berlin", "primary: 7", "primary:", "groups.acme.primary: Input should be a valid string"),
        ("    primary: berlin\n", "", "  acme:", "groups.acme.primary: key 'primary' is missing"),
        (
            "        storage: file:///mnt/newyork/Tenants\n",
            "",
            "      newyork:",
            "groups.acme.sites.newyork.storage: key 'storage' is missing",
        ),
        (
            "          - conn_id: berlin_node2\n            services: [loaderService]\n",
            "          - services: [loaderService]\n",
            "- services: [loaderService]",
            "groups.acme.sites.berlin.nodes.1.conn_id: key 'conn_id' is missing",
        ),
        (
            "      newyork:\n",
            "      New York:\n",
            "      New York:",
            "groups.acme.sites.New York: String should match pattern",
        ),
        (
            "catalog: file:///mnt/newyork/catalog",
            "catalog: /mnt/newyork/catalog",
            "catalog: /mnt",
            "groups.acme.sites.newyork.catalog: String should match pattern",
        ),
        (
            "catalog: file:///mnt/newyork/catalog",
            "catalog: file:///mnt/newyork/Tenants/x",
            "      newyork:",
            "groups.acme.sites.newyork: catalog file:///mnt/newyork/Tenants/x and storage "
            "file:///mnt/newyork/Tenants must not lie inside each other",
        ),
        (
            "node: newyork_node1",
            "node: newyork_node9",
            "      newyork:",
            "groups.acme.sites.newyork: cmc.node 'newyork_node9' is not one of the nodes",
        ),
        (
            "services: [loaderService, analyticsService]",
            "services: loaderService",
            "services: loaderService",
            "groups.acme.sites.berlin.nodes.0.services: Input should be a valid tuple",
        ),
        (
            "services: [loaderService, analyticsService]",
            "services:\n              - loaderService\n              - 5",
            "              - 5",
            "groups.acme.sites.berlin.nodes.0.services.1: Input should be a valid string",
        ),
        (
            "rpo_seconds: 300",
            "rpo_seconds: soon",
            "rpo_seconds",
            "groups.acme.objectives.rpo_seconds: Input should be a valid integer",
        ),
        (
            "timeout_seconds: 3600",
            "timeout_seconds: 5",
            "timeout_seconds",
            "groups.acme.approval.timeout_seconds: Input should be greater than or equal to 60",
        ),
        (
            "value: tenants_path",
            "value: cmc_url",
            "  acme:",
            "groups.acme: rewrite rule for TENANT.PATH uses value 'cmc_url', which site(s) berlin, newyork do not",
        ),
        ("tenant: acme", "tenant: 2026-01-01", "tenant:", "berlin.analytics.tenant: Input should be a valid string"),
        ("tenant: acme", "tenant: yes", "tenant:", "berlin.analytics.tenant: Input should be a valid string"),
        ("tenant: acme", "tenant:", "tenant:", "berlin.analytics.tenant: Input should be a valid string"),
        (
            "tenant: acme",
            "tenant: 2026-99-99",
            "tenant:",
            "not valid YAML: '2026-99-99' is not a valid value (month must be in 1..12); put text in quotes",
        ),
        ("tenant: acme", "tenant: 0x_", "tenant:", "not valid YAML: '0x_' is not a valid value"),
        ("tenant: acme", "tenant: =", "tenant:", "not valid YAML: could not determine a constructor"),
        ("tenant: acme", "tenant: !!str acme", "tenant:", "not valid YAML: the tag tag:yaml.org,2002:str is not supp"),
        ("tenant: acme", "tenant: !env T", "tenant:", "not valid YAML: the tag !env is not supported"),
        (
            "tenant: acme",
            "tenant: !!python/object/apply:os.system [x]",
            "tenant:",
            "not valid YAML: the tag tag:yaml.org,2002:python/object/apply:os.system is not supported",
        ),
        ("tenant: acme", "tenant: &t acme", "tenant:", "not valid YAML: anchors and aliases are not supported"),
        ("tenant: acme", "tenant: *t", "tenant:", "not valid YAML: anchors and aliases are not supported"),
        ("        values:\n", "        values: &v\n", "values: &v", "anchors and aliases are not supported"),
        ("tenant: acme", "<<: {tenant: acme}", "<<:", "groups.acme.sites.berlin.analytics: key '<<' is not text"),
        ("tenant: acme", "tenant: 'acme", "# nothing", "not valid YAML: found unexpected end of stream"),
        (
            "tenant: acme",
            "\ttenant: acme",
            "\ttenant",
            "not valid YAML: found character '\\t' that cannot start any tok",
        ),
        ("tenant: acme", "tenant: a\x07cme", "tenant:", "not valid YAML: the character U+0007 is not allowed"),
        ("tenant: acme", 'tenant: "\udcff"', "tenant:", "not valid YAML: the character U+DCFF is not allowed"),
        ("tenant: acme", "tenant: acme\n         x: 1", "         x: 1", "not valid YAML: expected <block end>"),
        (
            "tenant: acme",
            "tenant: acme\n          ? [a, b]\n          : c",
            "? [a, b]",
            "key a list or mapping is not text",
        ),
        ("smtp_host:", "1:", "          1:", "groups.acme.sites.berlin.values: key '1' is not text; put it in quotes"),
        ("smtp_host:", "yes:", "          yes:", "groups.acme.sites.berlin.values: key 'yes' is not text"),
        ("smtp_host:", "~:", "          ~:", "groups.acme.sites.berlin.values: key '~' is not text"),
        (
            "conn_id: acme_approval",
            "conn_id: acme_approval\n      conn_id: acme_approval",
            "# second",
            "groups.acme.approval.conn_id: key given twice",
        ),
    ],
)
def test_a_fault_is_told_with_its_line(topology_text: str, old: str, new: str, line_with: str, told: str) -> None:
    spoiled = topology_text.replace(old, new, 1)
    assert spoiled != topology_text
    line = {
        "# nothing": spoiled.count("\n") + 1,
        "# second": line_of(spoiled, "      timeout_seconds") - 1,
    }.get(line_with) or line_of(spoiled, line_with)
    faults = faults_of(spoiled)
    assert any(fault.startswith(f"dr.yaml:{line}: ") and told in fault for fault in faults), faults


def key_lines(text: str) -> list[tuple[int, str]]:
    """Return the number and the name of each key that stands on a line of its own."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        key = re.match(r"^[ -]*([a-z_]+):", line)
        if key:
            found.append((number, key[1]))
    return found


def test_each_misspelt_key_is_told_with_its_own_line(topology_text: str) -> None:
    checked = 0
    for number, key in key_lines(topology_text):
        if key in FREE_KEYS:
            continue
        lines = topology_text.splitlines(keepends=True)
        lines[number - 1] = lines[number - 1].replace(f"{key}:", f"zz_{key}:", 1)
        faults = faults_of("".join(lines))
        unknown = [fault for fault in faults if fault.startswith(f"dr.yaml:{number}: ") and "unknown key" in fault]
        assert len(unknown) == 1, (key, faults)
        assert unknown[0].endswith(f"zz_{key}: unknown key 'zz_{key}'")
        checked += 1
    assert checked > 40


def test_each_key_given_twice_is_told_with_the_line_of_the_second(topology_text: str) -> None:
    lines = topology_text.splitlines()
    for number, key in key_lines(topology_text):
        indent = len(lines[number - 1].split(key, maxsplit=1)[0])
        repeated = [*lines[:number], *_rest_of(lines, number, indent)]
        second = len(repeated) + 1
        spoiled = [*repeated, " " * indent + f"{key}: again", *lines[len(repeated) :]]
        faults = faults_of("\n".join(spoiled) + "\n")
        assert [fault for fault in faults if fault.startswith(f"dr.yaml:{second}: ")], (key, faults)
        assert all(fault.endswith(f"{key}: key given twice") for fault in faults)


def _rest_of(lines: list[str], number: int, indent: int) -> list[str]:
    """Return the lines behind line ``number`` that lie deeper than ``indent``: the value of its key."""
    rest = []
    for line in lines[number:]:
        if len(line) - len(line.lstrip()) <= indent:
            break
        rest.append(line)
    return rest


def test_all_faults_are_told_at_once(topology_text: str) -> None:
    spoiled = topology_text.replace("rpo_seconds: 300", "rpo_seconds: soon").replace("cluster: acme", "clutser: acme")
    assert len(faults_of(spoiled)) == 5


def test_more_faults_than_anyone_reads_are_counted() -> None:
    faults = faults_of("".join(f"k{number}: 1\n" for number in range(200)))
    assert len(faults) == MAX_FAULTS + 1
    assert faults[-1] == "… and 151 more"
    just_fits = faults_of("".join(f"k{number}: 1\n" for number in range(MAX_FAULTS - 1)))
    assert len(just_fits) == MAX_FAULTS
    assert just_fits[-1] == f"dr.yaml:{MAX_FAULTS - 1}: k{MAX_FAULTS - 2}: unknown key 'k{MAX_FAULTS - 2}'"


@pytest.mark.parametrize("text", ["", "\n", "# a comment\n", "groups", "- groups\n", "5", "null", "[a, b]", "---\n"])
def test_a_file_that_holds_no_mapping_is_refused(text: str) -> None:
    assert faults_of(text) == ["dr.yaml:1: the file must hold a mapping with the key 'groups'"]


def test_a_file_without_groups_is_refused() -> None:
    assert faults_of("{}") == ["dr.yaml:1: groups: key 'groups' is missing"]
    assert faults_of("groups: {}") == [
        "dr.yaml:1: groups: Dictionary should have at least 1 item after validation, not 0"
    ]


def test_a_second_document_is_refused(topology_text: str) -> None:
    line = topology_text.count("\n") + 1
    assert faults_of(topology_text + "---\na: 1\n") == [f"dr.yaml:{line}: not valid YAML: but found another document"]


def test_the_file_is_named_as_it_was_given() -> None:
    with pytest.raises(ConfigurationError, match=r"/etc/my topology\.yaml:1: the file must hold"):
        parse_topology("", "/etc/my topology.yaml")


def bomb(levels: int) -> str:
    """Return a short text whose aliases stand for 9 ** levels values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join([*lines, f"groups: *a{levels - 1}"])


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (bomb(30), 1, "anchors and aliases are not supported"),
        ("a: 1\ngroups: &a [*a]", 2, "anchors and aliases are not supported"),
        ("&a {*a : *a}", 1, "anchors and aliases are not supported"),
        ("a: 1\ngroups: " + "[" * 20_000, 2, f"nested deeper than {MAX_DEPTH} levels"),
        ("groups: " + "{a: " * 20_000, 1, f"nested deeper than {MAX_DEPTH} levels"),
        ("\n".join(" " * level + "a:" for level in range(500)), MAX_DEPTH, f"nested deeper than {MAX_DEPTH} levels"),
        ("groups: " + "9" * 5000, 1, "is not a valid value (Exceeds the limit (4300 digits)"),
    ],
    ids=["bomb", "recursion", "recursion in keys", "brackets", "braces", "indents", "number"],
)
def test_a_text_made_to_hang_is_refused(text: str, line: int, told: str) -> None:
    (fault,) = faults_of(text)
    assert fault.startswith(f"dr.yaml:{line}: not valid YAML: ")
    assert told in fault


def test_a_large_right_text_is_read(topology_text: str) -> None:
    """Fifty groups, some 120 kB: far more than any owner of one Airflow has."""
    body = topology_text.split("groups:\n", maxsplit=1)[1]
    groups = [
        re.sub("berlin|newyork|acme", lambda name, number=number: f"{name[0]}{number}", body)  # type: ignore[misc]
        for number in range(50)
    ]
    topology = parse_topology("groups:\n" + "".join(groups), "dr.yaml")
    assert len(topology.groups) == 50


@given(text=st.text())
def test_no_text_ends_in_anything_but_a_refusal(text: str) -> None:
    for fault in faults_of(text):
        assert re.match(r"dr\.yaml:\d+: ", fault)


@given(data=st.data())
def test_no_slip_ends_in_anything_but_a_topology_or_a_refusal(topology_text: str, data: st.DataObject) -> None:
    """Cut a piece out of a right text and put another in its place, as a slip of the hand would."""
    start = data.draw(st.integers(0, len(topology_text)))
    end = data.draw(st.integers(start, min(len(topology_text), start + 40)))
    piece = data.draw(
        st.one_of(st.text(max_size=5), st.text(alphabet=" \t\n:-[]{}&*!|>'\"%@`#?,.=~<0123x", max_size=8))
    )
    text = topology_text[:start] + piece + topology_text[end:]
    try:
        parse_topology(text, "dr.yaml")
    except ConfigurationError as error:
        lines = [int(number) for number in re.findall(r"^  dr\.yaml:(\d+): ", error.what, flags=re.MULTILINE)]
    else:
        lines = [1]
    last = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text))
    assert lines
    assert all(1 <= line <= last for line in lines)
