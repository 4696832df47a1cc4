"""The commands of ``incorta-dr`` about cutovers: the dry run of a plan, how far one is, and what a person decides."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from incorta_provider.cli_site_commands import Commands
from incorta_provider.dr.epoch import given_up
from incorta_provider.dr.machine import ready_steps
from incorta_provider.dr.plan import Mode, Plan, StepName
from incorta_provider.dr.request import Request, confirmation_phrase
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.commit import commit
from incorta_provider.steps.cutover.report import ledger_lines, report_so_far
from incorta_provider.steps.cutover.request import proposed_plan
from incorta_provider.steps.cutover.run import CutoverRun, find_run
from incorta_provider.steps.drill.request import proposed_drill
from incorta_provider.steps.drill.run import drill_run
from incorta_provider.steps.report_page import report_page

DRY_RUN = "dry run"

Command = Callable[[GroupAccess, argparse.Namespace, str], int]


def add_cutover(
    commands: Commands, group: Callable[[argparse.Namespace], GroupAccess], user: Callable[[], str]
) -> None:
    """Add the commands.

    :param group: finds the group that the arguments name.
    :param user: who is acting.
    """

    def add(parent: Commands, name: str, explained: str, command: Command) -> argparse.ArgumentParser:
        parser = parent.add_parser(name, help=explained)
        parser.add_argument("--group", required=True)
        parser.set_defaults(command=lambda arguments: command(group(arguments), arguments, user()))
        return parser

    _add_plan(add(commands, "plan", "print the plan of a cutover or drill, with each command that it would run", _plan))
    actions = commands.add_parser("cutover", help="a cutover").add_subparsers(required=True, metavar="ACTION")
    reporting = add(actions, "report", "print its report as it is so far, as JSON or as a page", _report)
    reporting.add_argument("--page", action="store_true", help="as one self-contained HTML page")
    skipping = add(actions, "skip", "leave out an optional step", _skip)
    for parser in (
        add(actions, "show", "print its plan, what is done, and what comes next", _show),
        reporting,
        skipping,
        add(actions, "abort", "give up a cutover that was not promoted", _abort),
        add(actions, "commit", "drop the metadata that a promoted site had before; there is no way back", _commit),
    ):
        parser.add_argument("--run", required=True, metavar="RUN_ID", help="the run of the cutover DAG")
    skipping.add_argument("--step", required=True, choices=[str(name) for name in StepName], metavar="STEP")
    skipping.add_argument("--reason", required=True, metavar="TEXT", help="for the ledger")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", required=True, help="the site to promote")
    parser.add_argument("--mode", required=True, choices=[str(mode) for mode in Mode])
    parser.add_argument("--point", default="", metavar="ID", help="the recovery point (default: the newest)")
    parser.add_argument("--accept-unfenced", action="store_true", help="continue although the source may still write")


def _plan(access: GroupAccess, arguments: argparse.Namespace, user: str) -> int:
    now = access.clock()
    request = Request(
        run_id=DRY_RUN,
        target=arguments.site,
        mode=Mode(arguments.mode),
        recovery_point=arguments.point,
        confirmation=confirmation_phrase(arguments.site),
        reason=DRY_RUN,
        accept_unfenced=arguments.accept_unfenced,
        requested_by=user,
        requested_at=now,
        created_at=now,
    )
    plan = _proposed(access, request, user)
    print(plan.to_markdown())
    _print_commands(plan)
    return 0


def _proposed(access: GroupAccess, request: Request, user: str) -> Plan:
    if request.mode.is_cutover:
        run = CutoverRun(access=access, target=access.site(request.target), run_id=DRY_RUN, actor=user)
        return proposed_plan(run, request)
    return proposed_drill(drill_run(access, request.target, DRY_RUN, user), request)


def _print_commands(plan: Plan) -> None:
    print("\nat the nodes, below the Incorta home of each connection:")
    for step in plan.steps:
        for command in step.commands:
            print(f"  {step.name}: {command}")


def _show(access: GroupAccess, arguments: argparse.Namespace, user: str) -> int:
    folder = find_run(access, arguments.run, user).folder
    plan, progress = folder.plan(), folder.progress()
    ready = ready_steps(plan, progress)
    print(plan.to_markdown().splitlines()[0].strip("*"))
    for step in plan.steps:
        result = folder.result(step.name)
        if result is not None:
            state = f"done at {result['finished_at']}, {result['seconds']} s"
        elif step.name in progress.skipped:
            state = "skipped"
        else:
            state = "next" if step.name in ready else "waits"
        print(f"  {step.name} at {step.site}: {state}")
    if progress.given_up:
        print("it was given up")
    return 0


def _report(access: GroupAccess, arguments: argparse.Namespace, user: str) -> int:
    run = find_run(access, arguments.run, user)
    report = report_so_far(run)
    print(report_page(report, ledger_lines(run)[0]) if arguments.page else report.model_dump_json(indent=2))
    return 0


def _skip(access: GroupAccess, arguments: argparse.Namespace, user: str) -> int:
    find_run(access, arguments.run, user).skip(StepName(arguments.step), reason=arguments.reason, by=user)
    print(f"step {arguments.step} of cutover {arguments.run} is left out; clear its task to go on")
    return 0


def _abort(access: GroupAccess, arguments: argparse.Namespace, user: str) -> int:
    done = abort(access, arguments.run, by=user)
    is_back = done.role.run_id == given_up(arguments.run)
    again = "active again" if is_back else f"{done.role.state} by {done.role.run_id}, and left alone"
    print(f"cutover {arguments.run} is given up: {done.role.active} is {again} (epoch {done.role.epoch})")
    if not is_back:
        print(f"Incorta at {done.target} is stopped, as far as this cutover started it")
    elif done.started:
        print(f"Incorta at {done.started} is started again")
    else:
        print(f"the fence stopped Incorta at {done.role.active} where it could; start it there")
    if done.start_left:
        print(f"it was not started again: {done.start_left}")
    for site, reason in done.not_told.items():
        print(f"{site} was not told: {reason}; repeat this command when it answers")
    if done.metadata:
        print(done.metadata)
    if done.metadata_left:
        print(f"the metadata of {done.target} are not given back: {done.metadata_left} Repeat this command then")
    for left in done.fences_left:
        print(f"{left} Repeat this command then")
    if done.traffic:
        print(f"traffic is sent back: {', '.join(done.traffic)}")
    for name, reason in done.traffic_left.items():
        print(f"traffic {name} is not sent back: {reason}; repeat this command when it answers")
    undone = (done.not_told, done.metadata_left, done.fences_left, done.start_left, done.traffic_left)
    return 1 if any(undone) else 0


def _commit(access: GroupAccess, arguments: argparse.Namespace, user: str) -> int:
    commit(access, arguments.run, by=user)
    print(f"cutover {arguments.run} is committed: the metadata from before it are dropped")
    return 0
