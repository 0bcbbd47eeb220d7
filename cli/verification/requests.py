"""Requests to the model, rendered again from the log and held against the hashes of what was sent."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eventlog.canonical import digest_of
from eventlog.events import LLMCallRequested
from eventlog.log import Recorded
from llm.messages import ModelRequest, ToolSpec
from projections.invariants.invariant import Breach
from projections.transcript import TRANSCRIPT, Transcript, render

RULE = "RequestsRenderAgain"
OTHER_TOOLS = "requests with other tools than this process has: set PERDURE_PLUGINS as the worker had it"
OTHER_VERSION = "requests rendered by another version of the transcript"


class Encoder(Protocol):
    """What of a model is needed to write its requests down."""

    def encode(self, request: ModelRequest) -> bytes:
        """The bytes that would be sent."""
        ...


class Shelf(Protocol):
    """What of the tools is needed."""

    def specs(self, names: Sequence[str]) -> tuple[ToolSpec, ...]:
        """The named tools as the model sees them."""
        ...


@dataclass(slots=True)
class Rendered:
    """What came of it."""

    breaches: list[Breach] = field(default_factory=list)
    unchecked: Counter[str] = field(default_factory=Counter)
    """How many requests could not be rendered here, and why."""


class Requests:
    """Renders the requests of threads, by what this process knows of tools and model."""

    def __init__(self, model: Encoder, tools: Shelf) -> None:
        self._model = model
        self._tools = tools

    def check(self, events: Sequence[Recorded]) -> Rendered:
        """Render every request of a thread whose stream holds together; it is read once."""
        rendered, transcript, coming = Rendered(), TRANSCRIPT.initial(), iter(events)
        for position, call in sorted(_calls(events), key=lambda each: each[1].at):
            while transcript.position < call.at:
                transcript = TRANSCRIPT.evolve(transcript, next(coming))
            self._check(transcript, position, call, rendered)
        return rendered

    def _check(self, transcript: Transcript, position: int, call: LLMCallRequested, rendered: Rendered) -> None:
        specs = self._tools.specs([tool.name for tool in transcript.terms.tools] if transcript.terms else [])
        if (call.projection, call.projection_version) != (TRANSCRIPT.name, TRANSCRIPT.version):
            rendered.unchecked[OTHER_VERSION] += 1
        elif call.tools_digest != digest_of([spec.model_dump() for spec in specs]):
            rendered.unchecked[OTHER_TOOLS] += 1
        else:
            body = self._model.encode(render(transcript, specs))
            if hashlib.sha256(body).hexdigest() != call.request_sha256:
                rendered.breaches.append(Breach(RULE, position, _differs(call, len(body))))


def _differs(call: LLMCallRequested, now: int) -> str:
    sizes = f"{now:,} bytes now, {call.request_bytes:,} then"
    return f"model call {call.step} would no longer be sent as it was ({sizes}): by this version, or this provider"


def _calls(events: Sequence[Recorded]) -> list[tuple[int, LLMCallRequested]]:
    return [(each.position, each.event) for each in events if isinstance(each.event, LLMCallRequested)]
