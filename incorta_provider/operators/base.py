"""What all operators share: the topology, the way from our errors to Airflow's, and who is acting.

The one place where the error family becomes Airflow's exceptions: a :class:`TransientError` is raised as it is, so that
the task's retries apply; every other error of ours fails the task at once, and "nothing to do" skips it.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator, conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from incorta_provider.exceptions import ConfigurationError, DrError, NothingToDo, TransientError
from incorta_provider.hooks.connections import airflow_connections
from incorta_provider.steps.access import GroupAccess, group_access
from incorta_provider.steps.foreign_errors import own_errors
from incorta_provider.steps.topology_file import read_topology

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

RETRIES = 3
RETRY_DELAY = timedelta(seconds=10)
PATIENT_RETRIES = 60
"""Of a step that waits for other work to end, such as an apply that is under way: ten minutes of trying."""


def topology_path() -> Path:
    """Return the path of the topology file, from ``[incorta_dr] topology``.

    :raises ConfigurationError: it is not set.
    """
    value = conf.get("incorta_dr", "topology", fallback="")
    if not value:
        raise ConfigurationError(
            "the path of the topology is not set",
            where="[incorta_dr] topology in airflow.cfg",
            fix="Set it, or AIRFLOW__INCORTA_DR__TOPOLOGY, to the path of incorta_dr.yaml.",
        )
    return Path(value)


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Turn our errors into what Airflow understands."""
    try:
        with own_errors():
            yield
    except NothingToDo as reason:
        raise AirflowSkipException(str(reason)) from None
    except TransientError:
        raise
    except DrError as error:
        log.error("%s", error)
        raise AirflowFailException(f"{type(error).__name__}: {error}") from None


class DrOperator(BaseOperator):
    """Base of the operators that work on one protection group.

    :param group: the protection group's name in the topology (templated).
    :cvar default_retries: how often a transient error is tried again, every 10 seconds, unless ``retries`` says so.
    """

    template_fields: Collection[str] = ("group",)
    default_retries: ClassVar[int] = RETRIES

    def __init__(self, *, group: str, **kwargs: Any) -> None:
        kwargs.setdefault("retries", self.default_retries)
        kwargs.setdefault("retry_delay", RETRY_DELAY)
        super().__init__(**kwargs)
        self.group = group

    def execute(self, context: Context) -> Any:
        """Do the work, with our errors as Airflow's."""
        with airflow_errors():
            return self.work(context)

    @abstractmethod
    def work(self, context: Context) -> Any:
        """Do the work and return what goes to XCom: small, and without secrets."""

    def access(self) -> GroupAccess:
        """Return the group with the means to reach its sites."""
        return dr_access(self.group)


def dr_access(group: str) -> GroupAccess:
    """Return a group with the means to reach its sites; read when a task runs, never at parse time."""
    return group_access(read_topology(topology_path()), group, airflow_connections())


def run_of(context: Context) -> str:
    """Return the run's id, which the workspace, the journal and the ledger go by."""
    return str(context["dag_run"].run_id)


def requester_of(context: Context) -> str:
    """Return the account that triggered the run; empty when a schedule did."""
    return context["dag_run"].triggering_user_name or ""


def round_of(context: Context) -> int:
    """Return how often the run was cleared."""
    return context["dag_run"].clear_number or 0
