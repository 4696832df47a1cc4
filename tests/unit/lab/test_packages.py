"""The list of packages is read as the set-up script reads it, and what is missing is named."""

from __future__ import annotations

import pytest

from incorta_provider.exceptions import ConfigurationError
from lab import packages

LIST = """
# Python: to build
gcc    gcc

# Lab: what it runs
# a remark
shell     sh /bin/sh
half      sh /no/such/file
nothing   no-such-program
"""


def test_only_the_lab_part_is_read() -> None:
    assert packages.lab_packages(LIST) == {
        "shell": ("sh", "/bin/sh"),
        "half": ("sh", "/no/such/file"),
        "nothing": ("no-such-program",),
    }


def test_a_package_is_missing_when_one_of_its_items_is() -> None:
    assert packages.missing(packages.lab_packages(LIST)) == ["half", "nothing"]


def test_the_own_list_has_the_three_servers() -> None:
    items = [item for of_one in packages.lab_packages().values() for item in of_one]
    assert {"mariadbd", "java", "/usr/sbin/sshd"} <= set(items)


def test_what_is_missing_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "missing", lambda: ["zookeeper"])
    with pytest.raises(ConfigurationError) as caught:
        packages.require()
    assert caught.value.what == "the lab lacks zookeeper"
    assert "make setup" in caught.value.fix
