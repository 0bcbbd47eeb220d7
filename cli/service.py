"""Running the system: up, down, worker, and a doctor for all of it."""

from typing import Annotated, Any

import typer

from cli.command import Invocation, command
from cli.exits import ExitCode

PANEL = "System"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        app,
        panel=PANEL,
        examples=["perdure up", "perdure up --no-worker", "perdure up --json | head -1 | jq -r .temporal.ui"],
    )(up)
    command(app, panel=PANEL, examples=["perdure down"])(down)
    command(app, panel=PANEL, examples=["perdure worker", "PERDURE_PLUGINS=mytools perdure worker"])(worker)
    command(app, panel=PANEL, examples=["perdure doctor", "perdure doctor --json | jq -r .temporal.address"])(doctor)


async def up(
    run: Invocation,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Start the servers only.", show_default=False)] = False,
) -> None:
    """Start what is missing of the system, print its addresses, and stay until Ctrl-C.

    Where a system runs already, it is attached to and left running at the end. Under --json one line is printed
    when all is ready: temporal.address, temporal.ui, database, model, home, attached and worker.
    """
    from cli.system import stay_up

    await stay_up(run, with_worker=not no_worker)


async def down(run: Invocation) -> None:
    """Stop the embedded system that runs under PERDURE_HOME, whoever started it. Its data stays."""
    from stack.stack import down as take_down

    stopped = await take_down(run.settings.home)
    words = f"stopped: {', '.join(stopped)}" if stopped else "nothing was running"
    run.output.answer({"stopped": stopped, "home": str(run.settings.home)}, lambda page: page.print(words))


async def worker(
    run: Invocation,
    while_stdin: Annotated[bool, typer.Option("--while-stdin", hidden=True)] = False,
) -> None:
    """Work on threads until Ctrl-C or SIGTERM; then let running calls finish.

    Start as many as there is work for, on as many machines. Under --json one line is printed when it works.
    """
    from cli.system import stay_at_work

    await stay_at_work(run, while_stdin=while_stdin)


async def doctor(run: Invocation) -> ExitCode:
    """Look at every part of the system: what is well, what is not, and what to do about it."""
    from cli.pages import doctor_page
    from cli.system import examine

    found: dict[str, Any] = await examine(run.settings)
    run.output.answer(found, lambda page: doctor_page(page, found))
    if found["ok"]:
        return ExitCode.OK
    silent = any(not check["ok"] for check in found["checks"] if check["name"] in {"temporal", "database", "worker"})
    return ExitCode.UNREACHABLE if silent else ExitCode.FAILED
