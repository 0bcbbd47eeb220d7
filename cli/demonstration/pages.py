"""What the demo prints around its acts: who plays, what came of it, where to look, and what to try next."""

import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.demo import CHECKOUT
from cli.demonstration.narrator import Narrator
from cli.demonstration.outcome import Outcome
from cli.demonstration.programs import perdure, short
from cli.pages import thread_page
from settings import Settings
from stack.addresses import Addresses

OWN_TOOLS = CHECKOUT / "examples" / "custom_tool.py"
WITHOUT_KEY = (
    "a scripted one: no intelligence, only patterns, but it is asked over the real protocol, and the tools are real. "
    "With ANTHROPIC_API_KEY set it is Claude."
)


@dataclass(slots=True)
class Places:
    """Where everything of one performance is."""

    config: Path | None
    settings: Settings
    thread: str
    report: Path
    addresses: Addresses | None = field(default=None)
    attached: bool = False
    run_id: str = ""

    def found(self, addresses: Addresses, *, attached: bool) -> None:
        """The system is there."""
        self.addresses, self.attached = addresses, attached

    @property
    def ui(self) -> str | None:
        """Temporal's web UI, where it is one of ours."""
        return self.addresses.temporal_ui if self.addresses is not None else None

    @property
    def all_threads_ui(self) -> str | None:
        """The list of all threads."""
        return f"{self.ui}/namespaces/{self.settings.temporal_namespace}/workflows" if self.ui else None

    @property
    def workflow_ui(self) -> str | None:
        """The thread's own page."""
        return f"{self.all_threads_ui}/{self.thread}/{self.run_id}/history" if self.ui else None


def opening_page(tell: Narrator, settings: Settings, folder: Path) -> None:
    """What is going to be shown."""
    tell.heading("Perdure: an agent that outlives its processes")
    tell.row("folder", str(folder))
    tell.row("model", WITHOUT_KEY if settings.uses_scripted_model else settings.model_name)


def final_page(page: Console, tell: Narrator, outcome: Outcome, places: Places) -> None:
    """The timeline, what it came to, where to look and what to try."""
    tell.heading("What happened, by the log")
    thread_page(page, outcome.report, outcome.lines)
    tell.heading("What it came to")
    for name, text in _results(outcome, places):
        tell.row(name, text)
    problems = outcome.problems()
    tell.say("Everything held." if not problems else "This did not hold:", "green" if not problems else "red")
    for problem in problems:
        tell.say(f"  {problem}", "red")
    tell.heading("Where to look")
    for name, text in _addresses(places):
        tell.row(name, text)
    tell.heading("What to try next")
    for words, command in _next(outcome, places):
        tell.say(words)
        tell.command(command)


def _results(outcome: Outcome, places: Places) -> Iterator[tuple[str, str]]:
    killing, taking_over = outcome.killing, outcome.taking_over
    if killing is not None and taking_over is not None:
        died = f"process {killing.pid} was killed in model call {killing.step}"
        yield "worker", f"{died}; process {taking_over.pid} finished it {taking_over.seconds:.1f} s later"
    yield "report", _written(outcome, places)
    yield "cost", _cost(outcome, places)
    yield "time", f"{outcome.seconds:.0f} s"


def _written(outcome: Outcome, places: Places) -> str:
    if not outcome.written:
        return "was not written, because you said no" if outcome.denied else "was not written"
    times = "once" if outcome.written == 1 else f"{outcome.written} times"
    size = len(outcome.content or b"")
    return f"was written {times}, and the file holds what was approved ({size:,} bytes): {places.report}"


def _cost(outcome: Outcome, places: Places) -> str:
    report = outcome.report
    used = f"for {report.tokens:,} tokens in {report.turns} model calls"
    if report.cost_usd is None:
        return f"not known, {used}"
    return f"${report.cost_usd:.4f} {used}{': a script is free' if places.settings.uses_scripted_model else ''}"


def _addresses(places: Places) -> Iterator[tuple[str, str]]:
    program = perdure(places.config)
    if places.ui is None:
        yield "Temporal", f"{places.settings.temporal_address}; in its web UI look for workflow {places.thread}"
    else:
        yield "Temporal UI", f"this thread: {places.workflow_ui}"
        yield "", f"all threads: {places.all_threads_ui}"
    yield "transcript", f"{program} show {places.thread}"
    yield "", f"{program} watch {places.thread}"
    if not places.attached:
        yield "", f"All of these answer while the system runs, and it is stopped now: {program} up brings it back."


def _next(outcome: Outcome, places: Places) -> Iterator[tuple[str, str]]:
    """Commands that work as they stand here, in this folder."""
    program = perdure(places.config)
    if not places.attached:
        yield "Start the system again and leave it running; the rest goes into another terminal:", f"{program} up"
    if (killing := outcome.killing) is not None:
        at, step = f"{places.thread} --at {killing.position}", f"{places.thread} {killing.step}"
        yield "See the thread as it stood when its worker died:", f"{program} show {at}"
        yield "See the very request that worker had sent, byte for byte:", f"{program} prompt {step}"
    yield "Have an agent ask you first:", f'{program} start "write notes.md: Perdure was here" --wait'
    if OWN_TOOLS.exists():
        yield "Give it tools of your own; how is said at the top of this file:", shlex.join(["less", short(OWN_TOOLS)])


def answer(outcome: Outcome, places: Places) -> dict[str, Any]:
    """The same for scripts."""
    report, killing, taking_over = outcome.report, outcome.killing, outcome.taking_over
    return {
        **asdict(report),
        "ok": not outcome.problems(),
        "problems": outcome.problems(),
        "call_id": outcome.call_id,
        "folder": str(places.report.parent),
        "model": places.settings.model_name,
        "scripted": places.settings.uses_scripted_model,
        "report": {
            "path": str(places.report),
            "written": outcome.written,
            "approved": outcome.call_id in outcome.granted,
            "sha256": hashlib.sha256(outcome.content).hexdigest() if outcome.content is not None else None,
        },
        "killed": killing,
        "taken_over": taking_over,
        "temporal": {
            "address": places.addresses.temporal if places.addresses else None,
            "ui": places.ui,
            "workflow": places.workflow_ui,
        },
        "attached": places.attached,
        "seconds": round(outcome.seconds, 1),
    }
