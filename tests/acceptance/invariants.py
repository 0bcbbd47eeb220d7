"""What holds of every thread, whatever died while it ran."""

import hashlib
import itertools
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

import worker as composition
from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalVoted,
    HumanInputExpired,
    HumanInputProvided,
    LLMCallRequested,
    LLMResponseReceived,
    PolicyDecided,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
)
from eventlog.log import Recorded
from projections.evolution import SESSION
from projections.fold import fold
from stack.scripted.received import Received
from tests.acceptance.ledger import Line
from tests.acceptance.stage import Handle, Stage
from workflows.agent import AgentWorkflow


@dataclass(frozen=True)
class Story:
    """All that is known of one thread after its end."""

    thread: str
    outcome: dict[str, Any]
    recorded: list[Recorded]
    requests: list[Received]
    """What reached the model."""
    state: dict[str, Any]
    """What the workflow itself says."""
    began: list[Line]
    acted: list[Line]

    @property
    def events(self) -> list[AnyEvent]:
        """What happened, in order."""
        return [each.event for each in self.recorded]

    @property
    def types(self) -> list[str]:
        """What happened, by name."""
        return [event.type for event in self.events]

    def outcome_of(self, call: str) -> AnyEvent:
        """The one event that says what became of a call."""
        [event] = [event for event in self.events if _settles(event) == call]
        return event


async def told(stage: Stage, handle: Handle) -> Story:
    """The thread's story, once it has ended and everything that holds of every story was found to hold."""
    story = await heard(stage, handle)
    problems = [*broken(story), *await unreplayable(handle)]
    assert problems == []
    return story


async def heard(stage: Stage, handle: Handle) -> Story:
    """The thread's story, once it has ended."""
    outcome = await stage.done(handle)
    recorded = await stage.recorded(handle.id)
    keys = {str(each.id) for each in recorded}
    return Story(
        thread=handle.id,
        outcome=outcome,
        recorded=recorded,
        requests=[each for each in stage.model.requests if each.headers.get("idempotency-key") in keys],
        state=await handle.query("state"),
        began=stage.ledger.lines("began", handle.id),
        acted=stage.ledger.lines("acted", handle.id),
    )


def broken(story: Story, promises: "Mapping[str, Promise] | None" = None) -> list[str]:
    """Which promises the story does not keep, and what it says instead."""
    return [problem for words, holds in (promises or PROMISES).items() for problem in _problem(words, story, holds)]


def _problem(words: str, story: Story, holds: "Promise") -> Iterator[str]:
    try:
        holds(story)
    except AssertionError as error:
        line = traceback.extract_tb(error.__traceback__)[-1].line
        yield f"{words}: {line} {error}".rstrip()


async def unreplayable(handle: Handle) -> list[str]:
    """What the code of today would do otherwise than the thread's workflow did."""
    try:
        await _replays(handle)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return [f"the workflow's history replays: {error}"]
    return []


async def _replays(handle: Handle) -> None:
    replayer = Replayer(
        workflows=[AgentWorkflow], data_converter=pydantic_data_converter, workflow_runner=composition.sandbox()
    )
    await replayer.replay_workflow(await handle.fetch_history())


def _is_contiguous(story: Story) -> None:
    assert [each.position for each in story.recorded] == list(range(len(story.recorded)))


def _is_whole(story: Story) -> None:
    assert story.types[0] == "SessionStarted"
    assert _to_the_end(story)[-1].event.type == "SessionCompleted", story.types
    assert story.outcome["position"] == len(_to_the_end(story)) - 1


def _to_the_end(story: Story) -> list[Recorded]:
    """The stream without the records of what came after the end."""
    late = itertools.takewhile(lambda type_: type_ == "RequestIgnored", reversed(story.types))
    return story.recorded[: len(story.recorded) - len(list(late))]


def _says_nothing_twice(story: Story) -> None:
    _once(each.id for each in story.recorded)
    _once(_meaning(each) for each in story.recorded)


def _meaning(recorded: Recorded) -> object:
    """What an event says, as far as it may be said but once."""
    match event := recorded.event:
        case LLMCallRequested():  # a step asks for other bytes where another model stands in
            return event.type, event.step, event.request_sha256
        case LLMResponseReceived():
            return event.type, event.step
        case ToolExecutionRequested():
            return event.type, event.call_id
        case _ if (call := _settles(event)) is not None:
            return "outcome", call
        case _ if event.type in {"SessionStarted", "SessionCompleted"}:
            return event.type
        case ApprovalVoted() | PolicyDecided():  # changed arguments are voted on, and decided, anew
            return recorded.id
        case ApprovalEscalated():
            return event.type, event.call_id, event.level
        case _ if hasattr(event, "call_id"):
            return event.type, event.call_id, recorded.id if event.type == "RequestIgnored" else None
        case _:
            return recorded.id


def _settles(event: AnyEvent) -> str | None:
    match event:
        case ToolExecutionFailed(will_retry=True):
            return None
        case (
            ToolExecutionCompleted()
            | ToolExecutionFailed()
            | ToolExecutionOutcomeUnknown()
            | ApprovalDenied()
            | ApprovalExpired(action="deny")
            | HumanInputProvided()
            | HumanInputExpired()
        ):
            return event.call_id
        case _:
            return None


def _every_call_has_one_outcome(story: Story) -> None:
    wanted = [call.id for event in story.events if isinstance(event, LLMResponseReceived) for call in event.tool_calls]
    settled = [call for event in story.events if (call := _settles(event)) is not None]
    assert sorted(wanted) == sorted(settled)


def _unsafe_calls_acted_once(story: Story) -> None:
    intents = {event.call_id: event for event in story.events if isinstance(event, ToolExecutionRequested)}
    assert intents.keys() >= _by_call(story.began).keys()
    for call, lines in _by_call(story.acted).items():
        assert len({line.key for line in lines}) == 1
        assert intents[call].effect != "unsafe" or len(lines) == 1, lines
    for call, lines in _by_call(story.began).items():
        assert intents[call].effect != "unsafe" or len(lines) == 1, lines


def _by_call(lines: Iterable[Line]) -> dict[str, list[Line]]:
    by_call: dict[str, list[Line]] = {}
    for line in lines:
        by_call.setdefault(line.call, []).append(line)
    return by_call


def _requests_are_those_of_the_log(story: Story) -> None:
    asked = {str(each.id): each.event for each in story.recorded if isinstance(each.event, LLMCallRequested)}
    for request in story.requests:
        event = asked[request.headers["idempotency-key"]]
        assert event.request_sha256 == hashlib.sha256(request.body).hexdigest()
        assert event.request_bytes == len(request.body)
    assert {request.headers["idempotency-key"] for request in story.requests} == asked.keys()
    assert 400 not in {request.status for request in story.requests}


def _results_reached_the_model(story: Story) -> None:
    """Every call in the last request has its result there, once; what the last reply asked for has none yet."""
    blocks = [block for message in story.requests[-1].json["messages"] for block in message["content"]]
    calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    assert calls == results
    _once(calls)


def _state_is_the_fold(story: Story) -> None:
    session = fold(SESSION, _to_the_end(story))
    assert story.state == {
        "thread_id": session.thread_id,
        "status": session.status,
        "position": session.position,
        "turns": session.turns,
        "tool_calls": session.tool_calls,
        "tokens": session.tokens,
        "pending": len(session.waiting_for_answer),
        "stalled": session.stalled,
        "stopped_at": session.stopped_at,
    }


def _once(values: Iterable[object]) -> None:
    twice = [value for value, times in Counter(values).items() if times > 1]
    assert twice == [], f"{len(twice)} of them twice, first {twice[0]}"


Promise: TypeAlias = Callable[[Story], None]
"""Raises `AssertionError` where a story does not keep it."""
STREAM: Mapping[str, Promise] = {
    "positions are contiguous": _is_contiguous,
    "no event is doubled": _says_nothing_twice,
    "no effect is doubled": _unsafe_calls_acted_once,
}
"""What holds however a thread ended."""
PROMISES: Mapping[str, Promise] = {
    **STREAM,
    "no event is lost": _is_whole,
    "the workflow's state is the fold of the stream": _state_is_the_fold,
    "every call has one outcome": _every_call_has_one_outcome,
    "requests are those of the log": _requests_are_those_of_the_log,
    "every result has reached the model, once": _results_reached_the_model,
}
"""What holds of a thread that ended by itself."""
