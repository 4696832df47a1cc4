from __future__ import annotations

import socket

import pymysql
import pytest

from incorta_provider.exceptions import ConfigurationError, DrError, PreconditionError, TransientError
from incorta_provider.metadata.errors import translate, translated


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1045, ConfigurationError),
        (1049, ConfigurationError),
        (1142, ConfigurationError),
        (1227, ConfigurationError),
        (1064, ConfigurationError),
        (4151, PreconditionError),
        (3118, PreconditionError),
        (1290, PreconditionError),
        (1114, PreconditionError),
        (1021, PreconditionError),
        (1040, TransientError),
        (1205, TransientError),
        (1213, TransientError),
        (2003, TransientError),
        (2013, TransientError),
        (99999, ConfigurationError),
    ],
)
def test_each_number_has_its_kind(number: int, kind: type[DrError]) -> None:
    error = translate(pymysql.err.OperationalError(number, "what the server said"), "a place")
    assert type(error) is kind
    assert ("what the server said" in error.what, error.where, bool(error.fix)) == (True, "a place", True)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), ConfigurationError),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), TransientError),
        (ConnectionRefusedError(111, "refused"), TransientError),
    ],
)
def test_an_unknown_host_is_told_from_one_that_is_away(cause: OSError, kind: type[DrError]) -> None:
    error = pymysql.err.OperationalError(2003, f"Can't connect ({cause})")
    error.original_exception = cause  # type: ignore[attr-defined]
    assert type(translate(error, "a place")) is kind


def test_a_session_that_is_gone_may_be_tried_again() -> None:
    assert type(translate(pymysql.err.InterfaceError(0, ""), "a place")) is TransientError


def test_the_cause_is_kept() -> None:
    cause = pymysql.err.OperationalError(1205, "Lock wait timeout exceeded")
    with pytest.raises(TransientError) as caught, translated("a place"):
        raise cause
    assert caught.value.__cause__ is cause
