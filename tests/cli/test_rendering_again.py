"""Requests that are written down from where they differ hash to what they would hash to as a whole."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from cli.verification.requests import RULE, Requests, Writing
from eventlog.canonical import digest_of
from eventlog.events import AnyEvent, LLMCallRequested
from eventlog.log import Recorded
from eventlog.terms import ToolTerms
from llm.anthropic import BEDROCK, PLAIN, Dialect
from llm.body import body_of
from llm.messages import Block, ModelRequest, ToolSpec
from projections.fold import fold
from projections.transcript import TRANSCRIPT, render
from tests.projections.facts import MODEL, begun, completed, recorded, replied, said, started, thought, use
from tests.projections.streams import Story, stories

TOOL = ToolSpec(name="read_file", description="Read.", input_schema={"type": "object"})
MARKED: Block = {"type": "text", "text": "remember", "cache_control": {"type": "ephemeral"}}


@dataclass
class Pen:
    """Writes requests as the real model does, and counts the bytes."""

    dialect: Dialect = PLAIN
    written: list[int] = field(default_factory=list)

    def encode(self, request: ModelRequest) -> bytes:
        """The bytes that would be sent."""
        body = self.dialect.encode(body_of(request))
        self.written.append(len(body))
        return body

    def specs(self, _tools: Sequence[ToolTerms]) -> tuple[ToolSpec, ...]:
        """One tool, whatever is asked for."""
        return (TOOL,)


def thread(turns: int, *first: Block, texts: Sequence[str] = ("I look.",)) -> list[Recorded]:
    """A thread of so many turns with the hashes of what was sent."""
    log = [recorded(0, started()), recorded(1, said("go", *first))]
    for step in range(1, turns + 1):
        at, call = len(log) - 1, f"c{step}"
        reply = replied(thought(), texts[step % len(texts)], use(call, path=f"f{step}"), step=step, at=at)
        for event in (request_of(log, step), reply, begun(call), completed(call, f"result {step}\n" * 20)):
            log.append(recorded(len(log), event))
    return log


def request_of(log: Sequence[Recorded], step: int) -> AnyEvent:
    """The request that shows all of this, as the model's activity declares it."""
    body = Pen().encode(render(fold(TRANSCRIPT, log), [TOOL]))
    return LLMCallRequested(
        step=step,
        at=len(log) - 1,
        projection=TRANSCRIPT.name,
        projection_version=TRANSCRIPT.version,
        model=MODEL,
        tools_digest=digest_of([TOOL.model_dump()]),
        request_sha256=hashlib.sha256(body).hexdigest(),
        request_bytes=len(body),
    )


@pytest.mark.parametrize("dialect", [PLAIN, BEDROCK], ids=["anthropic", "bedrock"])
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(story=stories())
def test_the_end_of_a_request_hashes_to_the_whole(dialect: Dialect, story: Story) -> None:
    """At every position of every story, whatever people, tools and late workers do."""
    writing, transcript = Writing(Pen(dialect)), TRANSCRIPT.initial()
    for event in story.log:
        transcript = TRANSCRIPT.evolve(transcript, event)
        whole = hashlib.sha256(Pen(dialect).encode(render(transcript, [TOOL]))).hexdigest()
        assert writing.sha256(transcript, [TOOL]) == whole


@pytest.mark.parametrize(
    "log",
    [
        thread(30),
        thread(30, texts=["\ud83d\ude00 and a half: \ud83d", '"messages":[', "", '"cache_control"']),
        thread(30, MARKED),
    ],
    ids=["plain", "odd words", "marked by a person"],
)
def test_every_request_of_a_thread_renders_again(log: list[Recorded]) -> None:
    """Also where people have set marks of their own, and where words look like a part of the body."""
    rendered = Requests(Pen(), Pen()).check(log)
    assert (rendered.breaches, rendered.unchecked) == ([], {})


def test_what_stays_is_not_written_again() -> None:
    """Of a thread of four times the turns some four times as much is written, not sixteen times."""
    few, many = Pen(), Pen()
    Requests(few, few).check(thread(20))
    Requests(many, many).check(thread(80))
    assert sum(many.written) < 8 * sum(few.written)


@pytest.mark.parametrize("step", [1, 2, 7, 12])
def test_a_request_that_was_another_is_found(step: int) -> None:
    """Each request is held against its own hash, wherever it stands."""
    log = thread(12)
    place, found = [(each.position, each.event) for each in log if isinstance(each.event, LLMCallRequested)][step - 1]
    assert isinstance(found, LLMCallRequested)
    log[place] = recorded(place, found.model_copy(update={"request_sha256": "0" * 64}))
    [breach] = Requests(Pen(), Pen()).check(log).breaches
    assert (breach.invariant, breach.position) == (RULE, place)
