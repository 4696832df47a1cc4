from __future__ import annotations

import pytest

from incorta_provider.metadata.engines.mariadb import MariaDb
from incorta_provider.metadata.engines.mysql import MySql
from incorta_provider.metadata.rights import Grant, applier_grants, exceeding, missing, needed, statements

ACCOUNT = "`incorta`@`%`"
ALL = [
    f"GRANT PROCESS, BINLOG MONITOR, SET USER ON *.* TO {ACCOUNT} IDENTIFIED BY PASSWORD '*F3'",
    f"GRANT ALL PRIVILEGES ON `my\\\\_schema`.* TO {ACCOUNT}",
    f"GRANT ALL PRIVILEGES ON `\\\\_dr\\\\_proof\\\\_%`.* TO {ACCOUNT}",
    f"GRANT ALL PRIVILEGES ON `\\\\_dr\\\\_beside\\\\_%`.* TO {ACCOUNT}",
    f"GRANT SELECT ON `mysql`.`proc` TO {ACCOUNT}",
    f"GRANT SELECT ON `mysql`.`user` TO {ACCOUNT}",
]
"""As ``SHOW GRANTS`` prints them: with doubled backslashes."""


def test_an_account_with_all_rights_lacks_none() -> None:
    assert missing(ALL, "my_schema") == []


def test_what_an_account_has_beside_the_listed_rights_is_named() -> None:
    grants = applier_grants("my_schema", MySql("9.7.4"))
    own = [grant.statement(ACCOUNT) for grant in grants]
    assert exceeding([*own, f"GRANT USAGE ON *.* TO {ACCOUNT}", ALL[1]], grants) == []
    more = [
        "SYSTEM_USER, EVENT ON *.*",
        "ALL PRIVILEGES ON `%`.*",
        "ALL PRIVILEGES ON `my%`.*",
        "INSERT ON `my_schema`.*",
        "SELECT ON `other`.*",
        "INSERT (`a`) ON `other`.`t`",
        "ALTER ROUTINE ON PROCEDURE `other`.`p`",
        "`role`@`%`",
    ]
    assert exceeding([f"GRANT {each} TO {ACCOUNT}" for each in more], grants) == more
    passed_on = f"{own[1]} WITH GRANT OPTION"
    assert exceeding([passed_on], grants) == [passed_on.removeprefix("GRANT ").split(" TO ")[0]]


def test_a_mariadb_applies_without_an_account_of_its_own() -> None:
    assert applier_grants("my_schema", MariaDb("10.11")) == []


def test_the_own_statements_are_enough() -> None:
    assert missing(statements(ACCOUNT, "my_schema"), "my_schema") == []


@pytest.mark.parametrize("number", range(6))
def test_each_missing_grant_is_found(number: int) -> None:
    lacking = missing([line for at, line in enumerate(ALL) if at != number], "my_schema")
    assert lacking == [needed("my_schema")[number]]


@pytest.mark.parametrize(
    "line",
    [
        f"GRANT ALL PRIVILEGES ON `my%`.* TO {ACCOUNT}",
        f"GRANT ALL PRIVILEGES ON `my_schema`.* TO {ACCOUNT}",
        f"GRANT ALL PRIVILEGES ON `%`.* TO {ACCOUNT}",
        f"GRANT ALL PRIVILEGES ON *.* TO {ACCOUNT} WITH GRANT OPTION",
    ],
)
def test_wider_places_cover_the_schema(line: str) -> None:
    assert missing([ALL[0], line, *ALL[2:]], "my_schema") == []


@pytest.mark.parametrize(
    "line",
    [
        f"GRANT ALL PRIVILEGES ON `my\\\\_schemas`.* TO {ACCOUNT}",
        f"GRANT ALL PRIVILEGES ON `my`.* TO {ACCOUNT}",
        f"GRANT ALL PRIVILEGES ON `my\\\\_schema`.`one_table` TO {ACCOUNT}",
        f"GRANT SELECT (a), INSERT (a) ON `my\\\\_schema`.* TO {ACCOUNT}",
        f"GRANT USAGE ON *.* TO {ACCOUNT}",
        f"GRANT `role` TO {ACCOUNT}",
    ],
)
def test_narrower_places_do_not(line: str) -> None:
    assert missing([ALL[0], line, *ALL[2:]], "my_schema") == [needed("my_schema")[1]]


def test_rights_on_every_schema_are_no_rights_on_the_server() -> None:
    assert missing([f"GRANT ALL PRIVILEGES ON `%`.* TO {ACCOUNT}"], "s")[0].place == "*.*"


def test_only_the_rights_that_lack_are_named() -> None:
    lacking = missing([ALL[0].replace("SET USER", "RELOAD"), *ALL[1:]], "my_schema")
    assert lacking == [Grant(("SET USER",), "*.*")]
    assert lacking[0].statement("'a'@'%'") == "GRANT SET USER ON *.* TO 'a'@'%'"
