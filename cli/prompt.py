"""The exact request of one model call, rendered again from the log and held against the hash of what was sent."""

import hashlib
import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.errors import NotFound
from cli.exits import ExitCode
from cli.given import Thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.answers import PromptReport
    from cli.threads import Threads
    from eventlog.events import LLMCallRequested
    from eventlog.log import Recorded
    from eventlog.streams import ThreadId
    from llm.messages import ModelRequest
    from projections.transcript import Transcript
    from settings import Settings


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(
        app,
        panel="Threads",
        examples=["perdure prompt report-42 1", "perdure prompt report-42 3 --json | jq .request.messages"],
    )(prompt)


async def prompt(
    run: Invocation,
    thread: Thread,
    number: Annotated[
        int, typer.Argument(metavar="N", min=1, help="1 for the first model call, 2 for the second, …")
    ] = 1,
) -> ExitCode:
    """Show the exact request of the Nth model call, and whether it is byte for byte the one that was sent."""
    from cli.given import thread_id
    from cli.pages import prompt_page

    async with run.threads() as threads:
        report = await rendered(threads, run.settings, thread_id(thread), number)
    run.output.answer(report, lambda page: prompt_page(page, run.output, report))
    return ExitCode.OK if report.verified else ExitCode.FAILED


async def rendered(threads: "Threads", settings: "Settings", thread: "ThreadId", number: int) -> "PromptReport":
    """The request of the model call with this number, by what this machine knows of tools and provider."""
    from bootstrap import lay_out_tools, request_encoder
    from cli.answers import PromptReport
    from projections.fold import fold
    from projections.transcript import TRANSCRIPT, render

    events = [recorded async for recorded in threads.events(thread)]
    position, call = _call(thread, events, number)
    transcript = fold(TRANSCRIPT, events[: call.at + 1])
    request = render(transcript, lay_out_tools(settings).specs(transcript.terms.tools if transcript.terms else ()))
    body = request_encoder(settings)(request)
    sha256 = hashlib.sha256(body).hexdigest()
    return PromptReport(
        thread_id=thread,
        call=number,
        position=position,
        at=call.at,
        model=call.model.name,
        verified=sha256 == call.request_sha256,
        why=_why(transcript, request, call, sha256),
        request_sha256=call.request_sha256,
        request=json.loads(body),
    )


def _call(thread: str, events: "Sequence[Recorded]", number: int) -> "tuple[int, LLMCallRequested]":
    from eventlog.events import LLMCallRequested

    calls = [(each.position, each.event) for each in events if isinstance(each.event, LLMCallRequested)]
    if number > len(calls):
        there = f"calls 1 to {len(calls)}" if calls else "no model call yet"
        raise NotFound(f"thread {thread} has no model call {number}", remedy=f"it has {there}")
    return calls[number - 1]


def _tools(transcript: "Transcript") -> list[str]:
    return [tool.name for tool in transcript.terms.tools] if transcript.terms else []


def _why(transcript: "Transcript", request: "ModelRequest", call: "LLMCallRequested", sha256: str) -> str:
    """What the verdict rests on; where the bytes differ, what is known to have changed."""
    from eventlog.canonical import digest_of
    from projections.transcript import TRANSCRIPT

    if sha256 == call.request_sha256:
        return f"the same {call.request_bytes:,} bytes as were sent, by their SHA-256 {sha256[:16]}…"
    if call.projection_version != TRANSCRIPT.version:
        return f"it was rendered by {call.projection} version {call.projection_version}, now {TRANSCRIPT.version}"
    missing = set(_tools(transcript)) - {spec.name for spec in request.tools}
    if missing:
        remedy = "set PERDURE_PLUGINS as the worker has it; those of MCP servers cannot be had without their servers"
        return f"these tools are not here: {', '.join(sorted(missing))}; {remedy}"
    if call.tools_digest != digest_of([spec.model_dump() for spec in request.tools]):
        return "some tool's description or schema has changed since"
    return "this version, or this provider's dialect (PERDURE_PROVIDER), writes the same request in other bytes"
