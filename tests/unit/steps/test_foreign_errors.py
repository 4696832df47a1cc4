from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from incorta_provider.exceptions import IntegrityError, PreconditionError, TransientError
from incorta_provider.steps.foreign_errors import own_errors


class Fact(BaseModel):
    """A record."""

    secret: int


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT])
def test_what_only_a_person_can_mend_is_not_tried_again(code: int) -> None:
    with pytest.raises(PreconditionError) as caught, own_errors():
        raise OSError(code, os.strerror(code), "/mnt/catalog/x")
    assert (caught.value.what, caught.value.where) == (os.strerror(code), "/mnt/catalog/x")


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.EIO, "Input/output error", "/mnt/x"), "Input/output error"),
        (OSError(errno.ESTALE, "Stale file handle"), "Stale file handle"),
        (TimeoutError("took too long"), "took too long"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_what_may_pass_is_tried_again(error: OSError, what: str) -> None:
    with pytest.raises(TransientError) as caught, own_errors():
        raise error
    assert caught.value.what == what
    assert caught.value.__cause__ is error


def test_a_damaged_record_is_an_integrity_error_that_shows_no_value() -> None:
    with pytest.raises(IntegrityError, match=r"a record of type Fact .*: 1 fault") as caught, own_errors():
        Fact.model_validate({"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_errors_of_ours_bugs_and_a_reader_that_left_pass_as_they_are(tmp_path: Path) -> None:
    for error in (TransientError("busy"), ZeroDivisionError(), BrokenPipeError()):
        with pytest.raises(type(error)) as caught, own_errors():
            raise error
        assert caught.value is error
