"""Policies: which there are, what they say, and whether they say what their author means."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cli.command import Invocation, command
from cli.exits import ExitCode

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from policy.call import Call
    from policy.files import Policies
    from policy.rules import Policy
    from settings import Settings

T = TypeVar("T")
PANEL = "Policy"
Named = Annotated[
    str,
    typer.Argument(
        metavar="POLICY",
        help="A policy's name, or its file; several, separated by commas, lie over each other.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(
        help="Which calls of tools are allowed, noted, asked about or denied.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    command(
        group,
        panel="Commands",
        examples=[
            """perdure policy check refunds --tool refund --arguments '{"amount": 80}'""",
            "perdure policy check ./refunds.yaml --tool refund --tenant acme --at 2026-11-23T22:30+01:00 --json",
        ],
    )(check)
    command(
        group,
        panel="Commands",
        examples=["perdure policy test refunds.cases.yaml", "perdure policy test *.cases.yaml --json"],
    )(test)
    command(group, panel="Commands", examples=["perdure policy show refunds"])(show)
    command(group, panel="Commands", name="list", examples=["perdure policy list"])(list_)
    app.add_typer(group, name="policy", rich_help_panel=PANEL)


async def check(
    run: Invocation,
    policy: Named,
    *,
    tool: Annotated[str, typer.Option(metavar="NAME", help="The tool that would be called.", show_default=False)],
    arguments: Annotated[
        str | None, typer.Option(metavar="JSON", help="Its arguments: a JSON object.", show_default=False)
    ] = None,
    effect: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="read_only, idempotent or unsafe. Not given: as the tool says."),
    ] = None,
    risk: Annotated[
        str | None, typer.Option(metavar="NAME", help="low, medium or high. Not given: as the tool says.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="On whose behalf. Not given: PERDURE_TENANT.")
    ] = None,
    principal: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who started the thread. Not given: PERDURE_PRINCIPAL.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which model wants it. Not given: the one of the settings.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When, as in 2026-11-23T22:30+01:00. Not given: now.")
    ] = None,
    cost: Annotated[
        str | None, typer.Option(metavar="USD", help="What the call may cost. Not given: not known.")
    ] = None,
    spent: Annotated[
        str | None, typer.Option(metavar="USD", help="What the thread has spent so far. Not given: not known.")
    ] = None,
) -> ExitCode:
    """Tell what a policy would say to a call, and why, rule by rule. Nothing is called and nothing recorded."""
    from datetime import UTC, datetime

    from cli.rulings import check_page, verdict_json
    from policy.cases import Circumstances, call_of
    from policy.judge import Judge

    judge = Judge(_policy(run.settings, policy))
    given = {
        "effect": effect,
        "risk": risk,
        "tenant": tenant or run.settings.tenant,
        "principal": principal or run.settings.principal,
        "model": model or run.settings.model_name,
        "time": _moment(at) if at else datetime.now(UTC),
        "cost": _money("--cost", cost),
        "spent": _money("--spent", spent),
    }
    known = _made(Circumstances, {name: value for name, value in given.items() if value is not None})
    call = _as_planned(run, call_of(tool, _object(arguments), known))
    verdict, findings = judge.decide(call), judge.explain(call)
    answer = {
        "policy": judge.policy.name,
        "digest": judge.policy.digest,
        **verdict_json(verdict),
        "tool": call.tool,
        "arguments": call.arguments,
        "findings": findings,
    }
    run.output.answer(answer, lambda page: check_page(page, verdict, findings))
    return ExitCode.OK


async def test(
    run: Invocation,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Tables of cases: YAML files.", show_default=False)
    ],
) -> ExitCode:
    """Try tables of cases: does the policy say to each call what is expected? Ends with 1 where it does not."""
    from cli.rulings import cases_page, tried_json
    from policy.cases import try_cases

    policies = _policies(run.settings)
    tried = [(file, each) for file in files for each in _readable(partial(try_cases, file, policies))]
    failed = sum(not each.passed for _, each in tried)
    answer = {
        "ok": not failed,
        "cases": len(tried),
        "failed": failed,
        "results": [tried_json(*each) for each in tried],
    }
    run.output.answer(answer, lambda page: cases_page(page, tried, failed))
    return ExitCode.FAILED if failed else ExitCode.OK


async def show(run: Invocation, policy: Named) -> ExitCode:
    """Show a policy as it is recorded with a thread: its layers from the undermost, each with its rules in order."""
    from cli.rulings import policy_page

    read = _policy(run.settings, policy)
    run.output.answer({"digest": read.digest, "policy": read.recorded()}, lambda page: policy_page(page, read))
    return ExitCode.OK


async def list_(run: Invocation) -> ExitCode:
    """List the named policies, and what is wrong with those that cannot be used. Ends with 1 where there are such."""
    from cli.rulings import policies_page, policy_line

    policies = _policies(run.settings)
    lines = [policy_line(policies, name) for name in policies.names()]
    run.output.answer({"policies": lines}, lambda page: policies_page(page, lines))
    return ExitCode.FAILED if any(line["problems"] for line in lines) else ExitCode.OK


# -- what is asked --------------------------------------------------------------------------------


def _policies(settings: "Settings") -> "Policies":
    from policy.files import Policies

    return Policies(settings.policies)


def _policy(settings: "Settings", given: str) -> "Policy":
    """The named policy, or those that are named, over each other."""
    from cli.errors import BadUsage
    from cli.given import names
    from policy.files import stacked

    read = _readable(lambda: stacked(names(given) or (), Path(), _policies(settings)))
    if read is None:
        raise BadUsage("no policy is named")
    return read


def _readable(read: Callable[[], T]) -> T:
    """What is read; `ClientError` says what is wrong with a file, or that there is none."""
    from cli.errors import BadUsage, NotFound
    from policy.files import UnknownPolicy
    from policy.mistakes import InvalidFile

    try:
        return read()
    except InvalidFile as error:
        raise BadUsage(
            str(error), kind="policy", remedy="correct the file: docs/policy.md tells what may stand there"
        ) from error
    except UnknownPolicy as error:
        raise NotFound(str(error)) from error


def _object(arguments: str | None) -> dict[str, Any]:
    from cli.given import json_object

    return json_object("--arguments", arguments) or {}


def _moment(text: str) -> "datetime":
    from datetime import datetime

    from cli.errors import BadUsage
    from policy.cases import moment

    read = moment(text)
    if not isinstance(read, datetime):
        raise BadUsage(f"--at {text} is no time", remedy="write it as in 2026-11-23T22:30+01:00")
    return read


def _money(option: str, text: str | None) -> "Decimal | None":
    from decimal import Decimal

    from cli.errors import BadUsage
    from policy.rules import dollars

    read = None if text is None else dollars(text)
    if read is not None and not isinstance(read, Decimal):
        raise BadUsage(f"{option} {text} is no amount", remedy="write US dollars, as in 12.50")
    return read


def _made(kind: Any, given: dict[str, Any]) -> Any:
    from cli.given import made

    return made(kind, **given)


def _as_planned(run: Invocation, call: "Call") -> "Call":
    """The call with what its tool adds, where it is installed here: valid arguments, effect, risk, author's word."""
    from bootstrap import lay_out_tools
    from cli.errors import BadUsage
    from policy.planned import completed
    from tools.toolbox import UnknownTool, Unplanned

    toolbox = lay_out_tools(run.settings)
    try:
        terms = toolbox.terms([call.tool])[0]
    except UnknownTool:
        run.output.note(
            f"no tool {call.tool!r} is installed here: its effect and risk are known only where they are given"
        )
        return call
    plan = toolbox.plan(call.tool, call.arguments, (call.tool,))
    if isinstance(plan, Unplanned):
        raise BadUsage(f"the tool would not take this call: {plan.problem}")
    return completed(call, plan, terms)
