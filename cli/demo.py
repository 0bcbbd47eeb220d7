"""Showing what Perdure is for: a worker is killed in the middle of a step, and nothing is lost or done twice."""

from pathlib import Path
from typing import Annotated

import typer

from cli.command import Invocation, command
from cli.exits import ExitCode

CHECKOUT = Path(__file__).parent.parent

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", help="What to inspect, and where to put the report.", show_default="this checkout"
    ),
]


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, panel="System", examples=["perdure demo", "perdure demo ~/notes", "perdure demo --json | jq .ok"])(
        demo
    )


async def demo(run: Invocation, folder: Folder = CHECKOUT) -> ExitCode:
    """Watch an agent survive the death of its worker, and ask before it writes.

    It inspects a folder and asks to write a report into it; the first of its two workers is killed with SIGKILL in the
    middle of a model call. Starts the system if none runs, and ends by itself; without a terminal it answers for you.
    No key is needed: without ANTHROPIC_API_KEY the model is scripted.
    """
    from cli.demonstration.play import perform

    return await perform(run, folder)
