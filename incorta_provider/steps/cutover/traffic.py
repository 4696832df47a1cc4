"""Send people to the promoted site, and back.

What each doer had is written down before it is changed, once a cutover: whatever dies in the middle, the way back is
known. A doer that fails stops the step, unless the topology calls it optional; the step may be repeated, and what is
set already is a pass.

:raises TransientError: a doer does not answer, or what was set is not read back in time.
:raises ConfigurationError: a doer does not let us in, or what it has is of another kind.
"""

from __future__ import annotations

import logging

from incorta_provider.dr.traffic import State, TrafficDoer
from incorta_provider.exceptions import DrError
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.foreign_errors import own_errors
from incorta_provider.traffic.doer import Doer, shown, switch
from incorta_provider.traffic.doers import open_doer

log = logging.getLogger(__name__)


def send_traffic(run: CutoverRun, site: str) -> Result:
    """Send traffic to a site by every doer of the group, in the topology's order.

    :return: by doer what was set before and is now, and why optional ones failed.
    """
    changed, failed = {}, {}
    for config in run.access.config.traffic:
        try:
            with own_errors():
                before = _switched(run, config, site)
        except DrError as error:
            if not config.optional:
                raise
            log.warning("traffic %s is not switched, and is optional: %s", config.name, error)
            failed[config.name] = error.what
        else:
            changed[config.name] = f"{shown(before)} → {shown(config.state_for(site))}"
    return {"traffic": changed, "not_switched": failed}


def return_traffic(run: CutoverRun) -> tuple[list[str], dict[str, str]]:
    """Set what every doer had before this cutover, the last one first.

    :return: which ones have it again, and why the rest have not: nothing holds up a way back.
    """
    returned, left = [], {}
    before = run.folder.traffic_before()
    for config in reversed(run.access.config.traffic):
        if config.name not in before:
            continue
        try:
            with own_errors():
                switch(_opened(run, config, "back"), before[config.name])
        except DrError as error:
            log.warning("traffic %s is not sent back: %s", config.name, error)
            left[config.name] = error.what
        else:
            returned.append(config.name)
    return returned, left


def traffic_problem(run: CutoverRun, config: TrafficDoer) -> str | None:
    """Return why a doer cannot be used, by reading what it has; None when it can, or is optional."""
    try:
        with own_errors():
            _opened(run, config, "look").read()
    except DrError as error:
        if not config.optional:
            return error.what
        log.warning("traffic %s cannot be asked, and is optional: %s", config.name, error)
    return None


def _switched(run: CutoverRun, config: TrafficDoer, site: str) -> State | None:
    """Switch one doer, and return what it had before this cutover."""
    doer = _opened(run, config, "there")
    known = run.folder.traffic_before()
    if config.name not in known:
        known = run.folder.remember_traffic(config.name, doer.read())
    switch(doer, config.state_for(site))
    return known[config.name]


def _opened(run: CutoverRun, config: TrafficDoer, way: str) -> Doer:
    return open_doer(config, run.access.connections, f"{run.run_id} {way}")
